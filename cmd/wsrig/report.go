package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"wsrig/internal/report"
	"wsrig/internal/result"
)

// stepSummary is the variable in which GitHub Actions names the file whose Markdown
// it shows as the summary of the step.
const stepSummary = "GITHUB_STEP_SUMMARY"

// reportFlags are the flags of wsrig report.
type reportFlags struct {
	json, schema, summary, index bool
	formats                      []string
	out                          string
}

// defaultOut is where results are kept.
const defaultOut = "results"

func newReportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Write every table and plot of a result again, or export it, from its run.json alone",
		Long: `Read DIR/run.json and write report.html, report.txt, report.md and plots/ again, and of a
run of wsrig regress its comparison, without running anything; then print the report. The
exit code is the run's.

With --index, DIR is a directory of results (default results): only DIR/index.html is
written, the page that lists all runs in it. A report of one of them renews it too.

With --format, write those formats instead, into DIR or where --out says, and print the
names of the files. The exit code is 0 once they are written, whatever the run's was: a
job that exports after a failed run has failed already.

Formats:
` + formatList(),
		Example: `  wsrig report results/idle-timeout/latest
  wsrig report results/idle-timeout/latest --format junit,csv --out artifacts
  wsrig report results/idle-timeout/latest --format go-bench --out - > base.txt
  wsrig report --index`,
		RunE: func(cmd *cobra.Command, args []string) error { return runReport(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print the run as JSON, without raw histograms, and the report on standard error")
	flags.StringSliceVar(&f.formats, "format", nil, "write these formats, separated by commas")
	flags.StringVar(&f.out, "out", "", "folder for the files, made if need be; - writes the one file of one format to standard output")
	flags.BoolVar(&f.summary, "step-summary", false, "append the summary to the file that $"+stepSummary+" names, as GitHub Actions sets it")
	flags.BoolVar(&f.index, "index", false, "write the page that lists the runs below DIR, and nothing else")
	flags.BoolVar(&f.schema, "schema", false, "print the JSON Schema of run.json and exit")
	return cmd
}

// formatList is a line for each format.
func formatList() string {
	var b strings.Builder
	for _, f := range report.Formats {
		name := f.Name
		if f.Default {
			name += " *"
		}
		fmt.Fprintf(&b, "  %-9s %s (%s)\n", name, f.Doc, f.Files)
	}
	b.WriteString("  * without --format")
	return b.String()
}

func runReport(cmd *cobra.Command, args []string, f reportFlags) error {
	if f.schema {
		if len(args) > 0 || f.index || f.others() {
			return usageError{errors.New("--schema goes alone; it is the same for every run")}
		}
		_, err := cmd.OutOrStdout().Write(result.JSONSchema())
		return err
	}
	if f.index {
		if len(args) > 1 || f.others() {
			return usageError{errors.New("--index takes a directory of results, and no other flag")}
		}
		return writeIndex(cmd, append(args, defaultOut)[0])
	}
	if len(args) != 1 {
		return usageError{fmt.Errorf("name one result folder, as in wsrig report results/idle-timeout/latest; got %d", len(args))}
	}
	formats, exported, err := f.chosen()
	if err != nil {
		return usageError{err}
	}
	dir := args[0]
	run, err := result.Read(filepath.Join(dir, result.FileName))
	if err != nil {
		return usageError{err}
	}
	if f.out == "-" {
		if err := formats[0].WriteTo(cmd.OutOrStdout(), run); err != nil {
			return err
		}
	} else {
		if f.out != "" {
			dir = f.out
		}
		paths, err := report.WriteFormats(run, dir, formats)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if exported {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
		}
		if len(paths) == 0 {
			return usageError{fmt.Errorf("nothing is written: the run has nothing for --format %s", strings.Join(f.formats, ","))}
		}
	}
	if f.out == "" && !exported {
		noteIndex(cmd, report.RefreshIndex(dir))
	}
	if f.summary {
		if err := report.AppendSummary(run, os.Getenv(stepSummary)); err != nil {
			return err
		}
	}
	if exported {
		return nil
	}
	return printRun(cmd, run, dir, f.json)
}

// others tells whether a flag was given that is about one run.
func (f reportFlags) others() bool { return f.json || f.summary || f.out != "" || f.formats != nil }

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

// chosen checks the flags against each other and returns the formats to write.
// exported tells that formats were asked for, and not the report to read.
func (f reportFlags) chosen() (formats []report.Format, exported bool, err error) {
	if f.summary && os.Getenv(stepSummary) == "" {
		return nil, false, fmt.Errorf("--step-summary: the variable %s is not set, which GitHub Actions does; elsewhere, use --format summary", stepSummary)
	}
	if f.formats == nil {
		if f.out == "-" {
			return nil, false, errors.New("--out - takes one format of one file; name it with --format")
		}
		return report.DefaultFormats(), false, nil
	}
	formats, err = report.FindFormats(f.formats)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("--format: %w", err)
	case f.json:
		return nil, false, errors.New("--json prints the run and --format writes files; use one of them")
	case f.out == "-" && len(formats) != 1:
		return nil, false, fmt.Errorf("--out - takes one format, not %d", len(formats))
	}
	return formats, true, nil
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
