package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wsrig/testbed"
)

// newKeepNetworkCommand returns the hidden subcommand that the docker runtime runs in
// the container of a network that units share.
func newKeepNetworkCommand() *cobra.Command {
	return &cobra.Command{
		Use:    testbed.KeepNetworkCommand + " [GATEWAY PREFIX]",
		Short:  "Keep a container's network for others, and let them connect from many addresses",
		Hidden: true,
		Args:   cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := testbed.KeepNetwork(cmd.Context(), args, cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%s: %w", testbed.KeepNetworkCommand, err)
			}
			return nil
		},
	}
}
