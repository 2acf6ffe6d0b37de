package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
)

// architectures are those that a release is made for, as Go calls them. It carries the
// programs for guests of each.
var architectures = []string{"amd64", "arm64"}

// packed are the programs of a release, which needs neither Go nor a checkout:
// ARCHITECTURE/NAME.zst. It is nil in a gate that builds them itself.
var packed fs.FS

// packCommand is for `make release` alone, and hidden.
func packCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pack DIR",
		Short:   "Build the programs that a release carries, and compress them into DIR",
		Example: `  gate pack ci/gate/packed`,
		Args:    cobra.ExactArgs(1),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arch := range architectures {
				if err := pack(cmd.Context(), args[0], arch); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func pack(ctx context.Context, folder, arch string) error {
	built, err := newPrograms()
	if err != nil {
		return err
	}
	defer built.remove()
	if err := built.compile(ctx, arch); err != nil {
		return err
	}
	for _, program := range []string{built.suite, built.init} {
		target := filepath.Join(folder, arch, filepath.Base(program)+".zst")
		if err := replace(target, func(w io.Writer) error { return compress(w, program) }); err != nil {
			return err
		}
	}
	return nil
}

// compress gives the same bytes for the same file, whatever machine it runs on: more
// than one goroutine would cut the file up by how many processors there are.
func compress(w io.Writer, file string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	encoder, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(encoder, from); err != nil {
		return err
	}
	return encoder.Close()
}

// unpack brings out the programs that the release carries for an architecture.
func (p programs) unpack(release fs.FS, arch string) error {
	for _, program := range []string{p.suite, p.init} {
		if err := unpack(program, release, path.Join(arch, filepath.Base(program)+".zst")); err != nil {
			return fmt.Errorf("unpack the programs for %s that this gate carries: %w", arch, err)
		}
	}
	return nil
}

func unpack(program string, release fs.FS, name string) error {
	from, err := release.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	decoder, err := zstd.NewReader(from)
	if err != nil {
		return err
	}
	defer decoder.Close()
	to, err := os.OpenFile(program, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := decoder.WriteTo(to); err != nil {
		to.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return to.Close()
}
