package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"wsrig/internal/report"
	"wsrig/internal/result"
)

func newReportCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Write every table and plot of a result again, from its run.json alone",
		Long: `Read DIR/run.json and write report.txt, report.md and plots/ again, without running
anything; then print the report. The exit code is the run's.`,
		Example: "  wsrig report results/idle-timeout/latest",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := report.Rebuild(args[0])
			if err != nil {
				return usageError{err}
			}
			return printRun(cmd, run, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON, without raw histograms, and the report on standard error")
	return cmd
}

// printRun prints a run for people, or as JSON, and returns its exit code.
func printRun(cmd *cobra.Command, run *result.Run, dir string, asJSON bool) error {
	people := cmd.OutOrStdout()
	if asJSON {
		people = cmd.ErrOrStderr()
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		if err := enc.Encode(result.WithoutHistograms(run)); err != nil {
			return fmt.Errorf("print the run: %w", err)
		}
	}
	if err := report.Text(people, run, terminalWidth(people)); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	fmt.Fprintf(people, "\nresults: %s\n", filepath.Clean(dir))
	if code := report.ExitCode(run.Verdict.Status); code != exitPass {
		return exitCode(code)
	}
	return nil
}
