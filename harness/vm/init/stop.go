package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// panicked is what is told pvpanic for QEMU to stop the machine, which it is run to
// do (QEMU, docs/specs/pvpanic.rst; -action panic=pause). No other device stops it
// in the middle of an instruction: a guest that waits for the host to do it is
// idle meanwhile, and an idle guest's virtual clock runs away.
const panicked = 1

// stop stops the machine. It returns when the host has it go on.
func stop() error {
	device, err := findPVPanic()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(device, "enable"), []byte("1"), 0); err != nil {
		return fmt.Errorf("enable pvpanic: %w", err)
	}
	// Its register is at the beginning of its only BAR, which need not be at that
	// of a page.
	resources, err := os.ReadFile(filepath.Join(device, "resource"))
	if err != nil {
		return err
	}
	var bar uint64
	if _, err := fmt.Sscanf(string(resources), "%v", &bar); err != nil {
		return fmt.Errorf("pvpanic's BAR, %.40q: %w", resources, err)
	}
	file, err := os.OpenFile(filepath.Join(device, "resource0"), os.O_RDWR|os.O_SYNC, 0)
	if err != nil {
		return fmt.Errorf("open pvpanic's BAR: %w", err)
	}
	defer file.Close()
	page := os.Getpagesize()
	memory, err := unix.Mmap(int(file.Fd()), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map pvpanic's BAR: %w", err)
	}
	memory[bar%uint64(page)] = panicked
	return unix.Munmap(memory)
}

// findPVPanic finds the PCI device (QEMU, docs/specs/pci-ids.rst).
func findPVPanic() (folder string, err error) {
	vendors, err := filepath.Glob("/sys/bus/pci/devices/*/vendor")
	if err != nil {
		return "", err
	}
	for _, vendor := range vendors {
		folder := filepath.Dir(vendor)
		if content(vendor) == "0x1b36" && content(filepath.Join(folder, "device")) == "0x0011" {
			return folder, nil
		}
	}
	return "", errors.New("there is no pvpanic among the PCI devices (the kernel needs CONFIG_PCI)")
}

// content is what a file of sysfs says; nothing where it cannot be read.
func content(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}
