package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

var errInterrupted = errors.New("interrupted")

// interruptedAfter is done once it has been asked so often.
type interruptedAfter struct {
	context.Context
	left int
}

func (i *interruptedAfter) Err() error {
	if i.left--; i.left < 0 {
		return errInterrupted
	}
	return nil
}

// Wherever the writing is interrupted, what is there is whole.
func TestWritingIsInterrupted(t *testing.T) {
	record := report.New(report.Kernel{Source: "debian/x"}, "virtual")
	for _, name := range []string{"one/scenario", "two/scenario"} {
		add(t, record, name, teardown.Clean)
	}
	whole := t.TempDir()
	if err := writeRecord(t.Context(), whole, record); err != nil {
		t.Fatal(err)
	}
	files := filesBelow(t, whole)
	for left, written := 1, 0; written < len(files); left++ {
		folder := t.TempDir()
		err := writeRecord(&interruptedAfter{t.Context(), left}, folder, record)
		got := filesBelow(t, folder)
		if written = len(got); written < len(files) && !errors.Is(err, errInterrupted) {
			t.Fatalf("it wrote %d files of %d, and says %v", written, len(files), err)
		}
		for _, name := range got {
			one, _ := os.ReadFile(filepath.Join(whole, name))
			other, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil || string(one) != string(other) {
				t.Errorf("interrupted after %d, %s is not whole: %v", left, name, err)
			}
		}
	}
}

func TestAFileIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	path := filepath.Join(t.TempDir(), "page")
	err := replaceUnless(ctx, path, func(w io.Writer) error {
		interrupt(errInterrupted)
		_, err := io.WriteString(w, "a part of it")
		return err
	})
	if !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), "write "+path) {
		t.Errorf("it says %v", err)
	}
	err = replaceUnless(ctx, path, func(io.Writer) error {
		t.Error("what takes long was made, and cannot be written any more")
		return nil
	})
	if !errors.Is(err, errInterrupted) {
		t.Errorf("later, it says %v", err)
	}
	if left := filesBelow(t, filepath.Dir(path)); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A run that was interrupted keeps what it has; interrupted again, it stops writing.
func TestInterruptedAgain(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	ctx, stop := toWrite(ctx)
	defer stop()
	if ctx.Err() != nil {
		t.Fatal("a run that was interrupted writes nothing")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "interrupt") {
		t.Errorf("the cause is %v, and names no signal", cause)
	}
}
