package programs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// folders are the names of the folders that programs are in.
const folders = "finwait-programs-*"

// A folder is one for programs. As long as it is open its maker has the lock of flock(2)
// on it, which the kernel gives back when that process dies, however it does.
type folder struct {
	path string
	lock *os.File // nil where the file system knows no such lock
}

// newFolder makes a folder for programs, and removes those that killed processes have
// left.
func newFolder() (*folder, error) {
	removeLeft()
	for {
		path, err := os.MkdirTemp("", folders)
		if err != nil {
			return nil, fmt.Errorf("make a folder for the suite: %w", err)
		}
		f, err := hold(path)
		switch {
		case errors.Is(err, errLost):
			continue // another process has taken it for one that was left, before it was locked
		case err != nil:
			f = &folder{path: path} // where there are no locks, as on NFS, nobody removes it either
		}
		return f, nil
	}
}

// removeLeft removes the folders of this user's that nobody holds.
func removeLeft() {
	temporary := os.TempDir()
	names, _ := fs.Glob(os.DirFS(temporary), folders)
	for _, name := range names {
		if f, err := hold(filepath.Join(temporary, name)); err == nil {
			f.remove()
		}
	}
}

// errLost says of a folder that another process holds or has removed it.
var errLost = errors.New("another process has it")

// hold locks a folder of this user's that nobody holds.
func hold(path string) (*folder, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errLost
	}
	if err != nil {
		return nil, err
	}
	f := &folder{path, file}
	if err := f.take(); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

func (f *folder) take() error {
	own, err := f.lock.Stat()
	if err != nil {
		return err
	}
	if owner := own.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("%s is another user's", f.path)
	}
	err = unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLost
	}
	if err != nil {
		return err
	}
	// Who had the lock before may have removed it.
	if there, err := os.Lstat(f.path); err != nil || !os.SameFile(there, own) {
		return errLost
	}
	return nil
}

// remove removes the folder with all that is in it, and gives the lock back then only:
// what nobody holds may be removed by others.
func (f *folder) remove() {
	os.RemoveAll(f.path)
	f.lock.Close()
}
