package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// Exit codes. Inconclusive is never a pass.
const (
	exitPass         = 0
	exitFail         = 1 // a check failed, or a regression
	exitUsage        = 2 // usage, or a bad scenario or configuration
	exitInconclusive = 3 // no data, saturated generator, too few trials
	exitTestbed      = 4 // the testbed did not come up, or a unit died
	exitInterrupted  = 130
)

// exitCode is an error that only says how to exit: all else has been printed.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// usageError is a mistake in the command line.
type usageError struct{ error }

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPass
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	var problems scenario.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(stderr, problems) // file:line:column first, as editors want it
		return exitUsage
	}
	fmt.Fprintln(stderr, "wsrig:", err)
	return codeOf(ctx, err)
}

// codeOf tells a person's mistake from a testbed that does not work.
func codeOf(ctx context.Context, err error) int {
	var config *testbed.ConfigError
	var usage usageError
	var missing *testbed.MissingBinaryError
	var install *testbed.CannotInstallError
	var dead *testbed.ExitError
	var docker *testbed.DockerError
	switch {
	case errors.As(err, &config), errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &missing), errors.As(err, &install), errors.As(err, &dead), errors.As(err, &docker):
		return exitTestbed
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errTestbed):
		return exitTestbed
	default:
		return exitUsage
	}
}

// errTestbed marks errors of a run that are nobody's mistake in the command line.
var errTestbed = errors.New("testbed")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "wsrig",
		Short: "Test WebSockets behind HAProxy and Nginx, and say in numbers what a configuration does to them",
		Long: `wsrig starts Redis, chat nodes, HAProxy or Nginx and load generators, runs a scripted
scenario with WebSocket clients, and measures what every client really saw.

Exit codes: 0 pass; 1 a check failed or something became worse; 2 usage, or a bad scenario or configuration;
3 inconclusive, which is never a pass; 4 the testbed did not come up; 130 interrupted.`,
		Example: `  wsrig run idle-timeout                          # HAProxy and Nginx side by side
  wsrig run idle-timeout --proxy ./haproxy.cfg    # your own file
  wsrig regress --base main idle-timeout          # this tree's configurations against main's
  wsrig loadgen --url ws://127.0.0.1:8080/ws --clients 500 --rate 100/s --for 10s`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newRunCommand(), newCheckCommand(), newListCommand(), newReportCommand(), newCompareCommand(), newRegressCommand(),
		newDepsCommand(), newDoctorCommand(), newUpCommand(), newDownCommand(), newLoadgenCommand(), newChatnodeCommand(), newHealthcheckCommand(),
		newMiniredisCommand(),
		newKeepNetworkCommand(),
	)
	return root
}
