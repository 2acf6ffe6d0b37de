package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// A trier is gate try: the options that it shares with gate run, and its own.
type trier struct {
	options
	kernels  []string
	listen   string
	request  string
	client   string
	bring    []string
	tree     string
	patience time.Duration
}

func tryCommand() *cobra.Command {
	t := trier{options: options{clock: string(vm.Virtual), trials: 1, suite: programs.Servers}}
	cmd := &cobra.Command{
		Use:   "try [--kernel KERNEL]... [--bring FILE]... --listen ADDR:PORT -- SERVER-COMMAND...",
		Short: "Try a server: does it lose FINs, on this kernel and on others?",
		Long: `try starts a server, on each kernel, and has clients come to it. They do what ends a
connection in a way that some kernels get wrong, and what that comes to is told: by which
call the server ends a connection, which clients had to send something again, and what it
cost. The server has a network of its own, and whatever it writes goes with it.

The server has to stay in the foreground, and to listen on all addresses, or on 192.0.2.2
or 2001:db8::2. In a guest it finds itself, its shared libraries and what --bring names,
each at the same path; without a KERNEL it runs on this machine's.

The client sends an HTTP request, or what is in --request. With --client, clients of your
own come in its place: its command is split where there are spaces, {server} stands for the
server's address and port in it, and what needs quotes or a shell goes into a script.

Exit status: 0 the last kernel loses nothing that such clients send to this server, 1 the
gate could not do its work, 2 it loses something, 3 that cannot be told.`,
		Example: `  gate try --listen :8080 -- nginx -c $PWD/nginx.conf
  gate try --kernel debian/bullseye --kernel debian/trixie --bring $PWD/nginx.conf --listen :8080 -- nginx -c $PWD/nginx.conf
  gate try --listen :6379 --request quit.txt -- redis-server --protected-mode no
  gate try --listen :8080 --client 'curl -s http://{server}/' -- ./my-server`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			t.stdout, t.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := t.checkGiven(cmd); err != nil {
				return err
			}
			return t.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&t.kernels, "kernel", nil, "a `KERNEL` to try the server on, again for each; the one that is meant to serve last (default: host)")
	flags.StringVar(&t.listen, "listen", "", "the `ADDR:PORT` where the server listens; :8080 is any address of IPv4's, [::]:8080 of IPv6's")
	flags.StringVar(&t.request, "request", "", "what the client sends, octet by octet, is in this `FILE` (default: an HTTP request)")
	flags.StringVar(&t.client, "client", "", "the `COMMAND` of a client that opens one connection")
	flags.StringArrayVar(&t.bring, "bring", nil, "a `FILE` or folder that the server, or the client, needs in a guest; again for each")
	flags.StringVar(&t.tree, "tree", "", "a `DIR` of unpacked packages, whose files are laid over the machine's own")
	flags.DurationVar(&t.patience, "patience", 3*time.Second, "how long the client waits for the server to end the connection, before it does, as a `DURATION`")
	flags.StringVar(&t.out, "out", filepath.Join("finwait-out", "try"), "the `DIR` for records and ladders")
	coldFlag(cmd, &t.cold)
	t.addArchiveFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("request", "client")
	cmd.SetFlagErrorFunc(whoseFlag)
	return cmd
}

// whoseFlag explains an error about a flag that comes behind a server's name.
func whoseFlag(cmd *cobra.Command, err error) error {
	server := cmd.Flags().Args()
	if len(server) == 0 {
		return err
	}
	return fmt.Errorf("%w: if that is for %s, put -- before the server's command, as in `gate try --listen :8080 -- %s ...`", err, server[0], server[0])
}

// checkGiven refuses what was given and is empty, as an unset variable of a shell's is.
func (t trier) checkGiven(cmd *cobra.Command) error {
	for name, empty := range map[string]bool{
		"request": t.request == "", "client": t.client == "", "tree": t.tree == "", "bring": slices.Contains(t.bring, ""),
	} {
		if empty && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is given and empty: leave it out, or say what it is to be", name)
		}
	}
	return nil
}

// run tries the server on each kernel.
func (t trier) run(ctx context.Context, command []string) error {
	task, err := t.task(command)
	if err != nil {
		return err
	}
	if len(t.kernels) == 0 {
		t.kernels = []string{hostSource}
	}
	// What the server lacks is found before a kernel is downloaded.
	if slices.ContainsFunc(t.kernels, func(k string) bool { return k != hostSource }) {
		if t.brought, err = t.pack(task); err != nil {
			return err
		}
	}
	images, built, err := t.prepare(ctx, t.kernels)
	if err != nil {
		return err
	}
	defer built.Remove()
	if err := t.clear(images); err != nil {
		return err
	}
	records := make([]*report.Record, len(images))
	failure := t.onEach(ctx, images, func(i int, out *screen, indent string) (err error) {
		records[i], err = t.tryOn(ctx, images[i], built, task, out, indent)
		return err
	})
	records = slices.DeleteFunc(records, func(r *report.Record) bool { return r == nil })
	if len(records) == 0 {
		return failure
	}
	if err := writeRun(ctx, t.out, report.NewRun(records, false)); err != nil {
		return errors.Join(failure, err)
	}
	tried := tried{command, t.patience, records}
	fmt.Fprintln(t.stdout)
	if err := tried.write(t.stdout); err != nil {
		return errors.Join(failure, err)
	}
	fmt.Fprintf(t.stdout, "\nThe records, the ladders and %s are in %s\n", pageFile, t.out)
	return cmp.Or(failure, tried.verdict())
}

// clear removes what an earlier run, of another server perhaps, has left where this one
// writes: it would pass for this one's if that fails.
func (t trier) clear(images []kernel.Image) error {
	left := []string{sumFile, markdownFile, pageFile}
	for _, image := range images {
		for _, file := range []string{recordFileName, junitFile, exchangesFolder} {
			left = append(left, filepath.Join(folderFor(image.Source), file))
		}
	}
	for _, name := range left {
		if err := os.RemoveAll(filepath.Join(t.out, name)); err != nil {
			return fmt.Errorf("--out: clear what an earlier run has left: %w", err)
		}
	}
	return nil
}

// inGuest is the task as it is done in a guest: the machine's files are not there, and
// what is written goes with the guest.
func (t trier) inGuest(task exposure.Task) exposure.Task {
	for _, c := range []*program.Command{&task.Server, &task.Client} {
		c.Disposable, c.Trees = true, nil
		if !slices.ContainsFunc(t.brought.Paths(), func(path string) bool { return within(path, c.Dir) }) {
			c.Dir = "/"
		}
	}
	return task
}

// within reports whether a path is a folder's, or the folder itself.
func within(path, folder string) bool {
	below, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(below)
}

// tryOn tries the server on one kernel, and writes the record.
func (t trier) tryOn(ctx context.Context, image kernel.Image, p *programs.Set, task exposure.Task, out *screen, indent string) (*report.Record, error) {
	if image.Source != hostSource {
		task = t.inGuest(task)
	}
	argument, err := told(task)
	if err != nil {
		return nil, err
	}
	record := report.New(recorded(image), string(t.clockOf(image)))
	record.Environment = environment(image)
	args := func(file string) []string {
		return []string{"--test.run=TestServers", argument, "--clock=" + record.Clock, "--record=" + file}
	}
	var failed error
	guest, err := t.runOn(ctx, image, p, job{args, func(line []byte) error {
		var entry report.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
		}
		if entry.Error != "" {
			failed = fmt.Errorf("%s: %s", image.Source, entry.Error)
			return nil
		}
		fmt.Fprintf(out, "%s%s\n", indent, entry.Summary())
		return record.Add(entry)
	}, out.notices(indent)})
	record.Accelerator = string(guest.Accelerator)
	record.Kernel.Release = cmp.Or(record.Kernel.Release, guest.Release)
	if err = cmp.Or(failed, err); err != nil {
		return nil, err
	}
	if err := t.keep(ctx, record, out, indent); err != nil {
		return nil, err
	}
	return record, nil
}
