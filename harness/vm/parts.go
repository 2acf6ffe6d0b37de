package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/finwait/finwait/harness/kernel"
)

// parts are what a machine is put together from, apart from its kernel.
type parts struct {
	qemu      string // the program's path
	initramfs *os.File
	luggage   *luggageDisk
	memoryMiB int
	args      []string
	shape     shape
}

func (m Machine) prepare(program string, p Payload, modules []kernel.Module) (made *parts, err error) {
	made = &parts{qemu: program, args: p.Args}
	defer func(begun *parts) {
		if err != nil {
			begun.close()
		}
	}(made)
	if made.initramfs, err = m.newInitramfs(p, modules); err != nil {
		return nil, err
	}
	info, err := made.initramfs.Stat()
	if err != nil {
		return nil, fmt.Errorf("measure the initramfs: %w", err)
	}
	if made.luggage, err = newLuggageDisk(p.Luggage); err != nil {
		return nil, err
	}
	made.memoryMiB = m.memoryMiB(info.Size(), made.luggage.memory)
	if m.keeps() {
		made.shape, err = m.shapeOf(made)
	}
	return made, err
}

func (p *parts) close() {
	if p.initramfs != nil {
		p.initramfs.Close()
	}
	if p.luggage != nil {
		p.luggage.file.Close()
	}
}

// launch begins a command line: the machine, a disk with an errand that is no other
// guest's, and one with the luggage, in this order. It has to be closed once QEMU runs.
func (p *parts) launch(m Machine) (*launch, error) {
	disk, err := newDisk(p.args, p.luggage.packed)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", m.name(), err)
	}
	l := &launch{args: append(m.talking(), m.machineArguments(p.memoryMiB)...), disk: disk}
	l.add(
		"-blockdev", "driver=file,node-name=errand,read-only=on,locking=off,filename="+l.inherit(disk),
		"-device", "virtio-blk-pci,ioeventfd=off,drive=errand",
		"-blockdev", "driver=file,node-name=luggage,read-only=on,locking=off,filename="+l.inherit(p.luggage.file),
		"-device", "virtio-blk-pci,ioeventfd=off,drive=luggage",
	)
	return l, nil
}

// shapeOf reads what the machine's kept state would depend on.
func (m Machine) shapeOf(p *parts) (s shape, err error) {
	if s.QEMU, err = qemuVersion(p.qemu); err != nil {
		return s, err
	}
	s.Machine = strings.Join(append(m.machineArguments(p.memoryMiB), m.kernelArguments()), " ")
	if m.clock() == Real {
		// How fast the host's time stamp counter runs, the guest has found out at its
		// boot, and under KVM all that the processor can do.
		host, err := hostRelease()
		if err != nil {
			return s, err
		}
		s.Machine += fmt.Sprintf(" on %s, Linux %s", processor(), host)
	}
	if s.Kernel, err = digestOf(m.Kernel.Vmlinuz); err != nil {
		return s, err
	}
	if s.Initramfs, err = digest(p.initramfs); err != nil {
		return s, err
	}
	_, err = p.initramfs.Seek(0, io.SeekStart)
	return s, err
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digest(file)
}

func digest(r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// statePath is where the machine is kept. Programs of several checkouts have files of
// their own; what else is not as it was makes a file useless, and is replaced.
func (m Machine) statePath(p *parts) string {
	name := fmt.Sprintf("%s_%.16s_%.8s_%s_%s_%dM%s",
		m.Kernel.Release, p.shape.Kernel, p.shape.Initramfs, m.clock(), m.accelerator, p.memoryMiB, stateSuffix)
	return filepath.Join(m.Cache, fileName(name))
}

// fileName makes a name one that a file can have.
func fileName(name string) string { return strings.ReplaceAll(name, "/", "-") }

// versions are those of the QEMUs that were asked for theirs, by path.
var versions sync.Map

// qemuVersion is the first line of what QEMU says of itself: "QEMU emulator version
// 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".
func qemuVersion(program string) (string, error) {
	if known, ok := versions.Load(program); ok {
		return known.(string), nil
	}
	said, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	version, _, _ := strings.Cut(string(said), "\n")
	versions.Store(program, version)
	return version, nil
}
