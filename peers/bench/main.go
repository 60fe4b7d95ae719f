//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes, as those of wsrig.
const (
	exitOK          = 0
	exitFail        = 1
	exitUsage       = 2
	exitNotUp       = 4
	exitInterrupted = 130
)

// settings are the flags of both commands.
type settings struct {
	bin, peers, results string
	trials, idle        int
}

// run is one command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, *bench) error{"peers": peers, "scale": scale, "write": writeRoundRobin, "drain": drainAll}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(stderr, "usage: bench peers|scale [flags]")
		return exitUsage
	}
	var s settings
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.bin, "bin", "bin", "`folder` of wsrig")
	flags.StringVar(&s.peers, "peers", "peers", "`folder` of the peers' scripts")
	flags.StringVar(&s.results, "results", "results", "`folder` for the results")
	flags.IntVar(&s.trials, "trials", 3, "runs of each measurement, interleaved")
	flags.IntVar(&s.idle, "idle", 10_000, "idle clients, as many as the limit of file descriptors holds")
	if err := flags.Parse(args[1:]); err != nil {
		return exitUsage
	}
	if s.trials < 1 || s.idle < 2*fewClients || flags.NArg() > 0 && args[0] != "write" && args[0] != "drain" {
		fmt.Fprintf(stderr, "bench %s: use 1 trial or more, %d idle clients or more, and no other arguments\n", args[0], 2*fewClients)
		return exitUsage
	}
	b := &bench{settings: s, args: flags.Args(), out: stdout, progress: stderr}
	err := b.with(ctx, commands[args[0]])
	var unfit wsrigError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "bench %s: %v\n", args[0], err)
	if errors.As(err, &unfit) {
		return exitFail
	}
	return exitNotUp
}

// wsrigError is a measurement that wsrig itself failed in. Those of others are in the
// table and fail nothing.
type wsrigError struct{ err error }

func (e wsrigError) Error() string { return "wsrig: " + e.err.Error() }
func (e wsrigError) Unwrap() error { return e.err }

// bench is one command under way.
type bench struct {
	settings
	args          []string
	out, progress io.Writer
	dir           string // for logs and rendered scripts; removed at the end
}

// Cores of the two sides, so that neither takes the other's.
const (
	serverCore    = 0
	generatorCore = 1
)

// with runs a command with a temporary folder.
func (b *bench) with(ctx context.Context, command func(context.Context, *bench) error) (err error) {
	for _, folder := range []*string{&b.bin, &b.peers, &b.results} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	if err := adopt(); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "wsrig-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	return command(ctx, b)
}

// twoCores tells whether the two sides can have a core each.
func twoCores() error {
	if runtime.NumCPU() < 2 {
		return errors.New("server and generator need a core each, and this machine gives one; nothing can be compared on it")
	}
	return nil
}

// tell prints what is being measured.
func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
