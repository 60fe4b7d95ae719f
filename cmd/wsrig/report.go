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
	asJSON, index := false, false
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Write every table and plot of a result again, from its run.json alone",
		Long: `Read DIR/run.json and write report.html, report.txt, report.md and plots/ again, without
running anything; then print the report. The exit code is the run's.

With --index, DIR is a directory of results (default results): only DIR/index.html is
written, the page that lists all runs in it. A report of one of them renews it too.`,
		Example: `  wsrig report results/idle-timeout/latest
  wsrig report --index`,
		Args: func(cmd *cobra.Command, args []string) error {
			if index {
				return cobra.MaximumNArgs(1)(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if index {
				return writeIndex(cmd, append(args, defaultOut)[0])
			}
			run, err := report.Rebuild(args[0])
			if err != nil {
				return usageError{err}
			}
			noteIndex(cmd, report.RefreshIndex(args[0]))
			return printRun(cmd, run, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&index, "index", false, "write the page that lists the runs below DIR, and nothing else")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON, without raw histograms, and the report on standard error")
	cmd.MarkFlagsMutuallyExclusive("index", "json")
	return cmd
}

// defaultOut is where results are kept.
const defaultOut = "results"

func writeIndex(cmd *cobra.Command, root string) error {
	if err := report.WriteIndex(root); err != nil {
		return usageError{err}
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(root, report.IndexFile))
	return err
}

// noteIndex says that the index could not be renewed. That is no reason to keep a run
// from its verdict.
func noteIndex(cmd *cobra.Command, err error) {
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %v\n", err)
	}
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
