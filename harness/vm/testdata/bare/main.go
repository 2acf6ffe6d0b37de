// Command bare is the shortest life that an init can have.
package main

import "golang.org/x/sys/unix"

func main() { _ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }
