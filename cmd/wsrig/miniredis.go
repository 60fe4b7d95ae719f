package main

import (
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
)

// newMiniredisCommand returns the hidden subcommand that stands in for redis-server
// where none is installed.
func newMiniredisCommand() *cobra.Command {
	listen := "127.0.0.1:6379"
	cmd := &cobra.Command{
		Use:    "miniredis",
		Short:  "Run an in-memory Redis for machines without redis-server",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := miniredis.NewMiniRedis()
			if err := m.StartAddr(listen); err != nil {
				return fmt.Errorf("miniredis: %w", err)
			}
			defer m.Close()
			fmt.Fprintf(cmd.OutOrStdout(), "miniredis listens on %s since %s\n", m.Addr(), time.Now().UTC().Format(time.RFC3339))
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "`address` to listen on")
	return cmd
}
