package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// cacheFolder is the one that is set, else that of finwait in the user's.
func (a *Archive) cacheFolder() (string, error) {
	if a.cache != "" {
		return a.cache, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep kernels in: %w: set HOME or XDG_CACHE_HOME to a folder", err)
	}
	return filepath.Join(user, "finwait"), nil
}

// A folderError says that a folder of the cache could not be written to.
type folderError struct {
	folder string
	err    error
}

// Error leaves out the path in the cause: that file is gone by then.
func (e *folderError) Error() string {
	reason, remedy := e.err, "make it writable"
	var errno unix.Errno
	if errors.As(e.err, &errno) {
		reason = errno
	}
	if errors.Is(e.err, unix.ENOSPC) || errors.Is(e.err, unix.EDQUOT) {
		remedy = "make room there"
	}
	return fmt.Sprintf("can't write to %s: %v; %s or set XDG_CACHE_HOME to another folder", e.folder, reason, remedy)
}

func (e *folderError) Unwrap() error { return e.err }

// partialSuffix ends the names of folders that are being filled.
const partialSuffix = ".partial"

// writeError names the folder that the user can look at: a partial one is gone
// by then.
func writeError(folder string, err error) error {
	if strings.HasSuffix(folder, partialSuffix) {
		folder = filepath.Dir(folder)
	}
	return &folderError{folder, err}
}

// produce lets build fill the folder path, unless it exists already. It appears
// only when build has succeeded, complete and on disk; else nothing of it stays.
// Of several processes that want the same folder one builds it and the others
// wait.
func produce(ctx context.Context, path string, build func(folder string) error) error {
	if exists(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return writeError(parent, err)
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if exists(path) {
		return nil
	}
	partial := path + partialSuffix
	// What a process that was killed has left behind.
	if err := os.RemoveAll(partial); err != nil {
		return writeError(parent, err)
	}
	defer os.RemoveAll(partial)
	if err := os.Mkdir(partial, 0o755); err != nil {
		return writeError(parent, err)
	}
	if err := build(partial); err != nil {
		return err
	}
	if err := syncAll(partial); err != nil {
		return writeError(parent, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return writeError(parent, err)
	}
	return nil
}

// lock waits until no other process has the lock file, and holds it until unlock
// is called, which removes it.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return nil, writeError(filepath.Dir(path), err)
		}
		if err := flock(ctx, file); err != nil {
			return nil, err
		}
		// Its last holder may have removed the file while this one waited.
		if isFile(path, file) {
			return func() {
				os.Remove(path)
				file.Close()
			}, nil
		}
		file.Close()
	}
}

// flock takes the lock of flock(2), which the kernel gives back when a process
// dies. It closes the file if that fails.
func flock(ctx context.Context, file *os.File) error {
	// What nobody holds is had at once, even if ctx has ended: who gave up here
	// would leave the file that it has just made.
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return nil
	}
	locked := make(chan error)
	go func() {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		for errors.Is(err, unix.EINTR) {
			err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			file.Close()
		}
		select {
		case locked <- err:
		case <-ctx.Done():
			file.Close()
		}
	}()
	select {
	case err := <-locked:
		if err != nil {
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another process to release %s: %w", file.Name(), ctx.Err())
	}
}

func isFile(path string, file *os.File) bool {
	named, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := file.Stat()
	return err == nil && os.SameFile(named, open)
}

// syncAll writes the file system that holds folder out to the disk: one call for
// some thousand files.
func syncAll(folder string) error {
	file, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Syncfs(int(file.Fd()))
}

// replaceFile gives the file path a new content, whole or not at all.
func replaceFile(path string, content []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return writeError(folder, err)
	}
	file, err := os.CreateTemp(folder, filepath.Base(path)+".*"+partialSuffix)
	if err != nil {
		return writeError(folder, err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return writeError(folder, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
