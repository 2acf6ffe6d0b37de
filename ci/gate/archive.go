package main

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/kernel/debian"
)

// archiveOptions say where Debian's kernels come from, and who vouches for them.
type archiveOptions struct {
	mirrors []string
	keyring string
}

// addArchiveFlags has the options taken from the command line or the environment.
func (o *archiveOptions) addArchiveFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.mirrors, "mirror", strings.Fields(os.Getenv("FINWAIT_MIRRORS")),
		"`URI` of a mirror of Debian's archive, before the machine's own apt sources; also FINWAIT_MIRRORS, separated by spaces")
	flags.StringVar(&o.keyring, "keyring", "",
		"`FILE` of OpenPGP public keys, one of which has to have signed the archive's indices (default: those of the package debian-archive-keyring)")
}

// archive is Debian's, which tells on w what it does.
func (o archiveOptions) archive(w io.Writer) *debian.Archive {
	progress := newProgress(w)
	return &debian.Archive{Mirrors: o.mirrors, Keyring: o.keyring, Progress: progress.show, Notice: progress.say}
}
