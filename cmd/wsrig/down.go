package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wsrig/testbed"
)

func newDownCommand() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove what killed runs left: processes, containers, networks and folders",
		Long: `Remove what runs left that were killed (SIGKILL, or a crash of the machine's session) before
they could do it themselves: processes of units, containers, networks, folders below $TMPDIR,
and images of earlier builds of wsrig. Each is known by a record or a label of the process it
belongs to, and by when that process was started. What a live run uses is left alone, and
named; --all ends live runs too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := testbed.ConnectDocker(cmd.Context(), testbed.DockerOptions{})
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "containers are not looked at: %v\n", err)
				d = nil
			} else {
				defer d.Close() // there is nothing to lose
			}
			if err := down(cmd.Context(), d, all, cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%w: %w", errTestbed, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end live runs too, after naming what is theirs")
	return cmd
}

// down removes what dead runs left and, with all, what live ones have.
func down(ctx context.Context, d *testbed.Docker, all bool, out io.Writer) error {
	found, err := testbed.Leftovers(ctx, d)
	if err != nil {
		return err
	}
	var errs []error
	ended := map[testbed.Owner]bool{}
	for _, l := range found {
		if !l.Live() {
			continue
		}
		if !all {
			fmt.Fprintf(out, "in use: %s\n", l)
			continue
		}
		fmt.Fprintf(out, "ending: %s\n", l)
	}
	for _, l := range found {
		if all && l.Live() && !ended[l.Owner] {
			ended[l.Owner] = true
			errs = append(errs, l.StopOwner(ctx)) // which takes down what it can
		}
	}
	removed := 0
	for _, l := range found {
		if l.Live() && !all {
			continue
		}
		if err := l.Remove(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(out, "removed: %s\n", l)
		removed++
	}
	if removed == 0 && len(errs) == 0 {
		fmt.Fprintln(out, "nothing to remove")
	}
	return errors.Join(errs...)
}
