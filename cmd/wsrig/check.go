package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
)

func newCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check SCENARIO...",
		Short: "Check scenarios without running them: every mistake at once, with its place",
		Long: `Check shipped scenarios by name, or files by path (with a / or ending in .yaml), without
running anything. Every mistake is printed as file:line:column with its fix.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bad := false
			for _, arg := range args {
				plan, err := loadPlan(arg, scenario.Options{Catalog: catalog{}})
				if err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), err)
					bad = true
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: %d cells, %d trials each, %d checks\n", arg, len(plan.Cells), plan.Trials, len(plan.Checks))
			}
			if bad {
				return exitCode(exitUsage)
			}
			return nil
		},
	}
}
