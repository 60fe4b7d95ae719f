package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"wsrig/internal/report"
	"wsrig/internal/result"
)

// compareOptions are the flags of wsrig compare, and how a comparison is shown.
type compareOptions struct {
	report.CompareOptions
	baseCell, headCell        string
	page                      string // file for the page; "" for none
	asJSON, asMarkdown, shown bool
}

func newCompareCommand() *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare RUN [RUN]",
		Short: "Compare two results, or two cells of one: what is better, what is worse, what is the same",
		Long: `Compare base with head: two results (cells with one id), two cells of one or two results
(--base, --head), or the two sides of a result of wsrig regress. RUN is the directory of a
result, or its run.json.

Figures are compared by the Mann-Whitney U test over the trials, corrected for how many
there are; a difference counts when it is also large enough. Facts, such as a declared
timeout or a lost message, are compared as they are. Results of different machines,
kernels, versions or limits are refused.

Exit codes: 0 nothing is worse; 1 something is; 2 the results cannot be compared;
3 inconclusive: too few trials, or no data.`,
		Example: `  wsrig compare results/smoke/20260304T120000Z-1a2b3c results/smoke/latest
  wsrig compare results/smoke/latest --base haproxy:round-robin --head nginx
  wsrig compare results/idle-timeout/latest      # of wsrig regress`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			base, err := result.Read(args[0])
			if err != nil {
				return usageError{err}
			}
			head := base
			if len(args) == 2 {
				if head, err = result.Read(args[1]); err != nil {
					return usageError{err}
				}
			}
			c, err := o.compare(base, head, len(args) == 2)
			if err != nil {
				return usageError{err}
			}
			return o.print(cmd, c)
		},
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.baseCell, "base", "", "`cell` of the first result: its id, or a beginning that no other cell has")
	f.StringVar(&o.headCell, "head", "", "`cell` of the last result to compare it with")
	f.BoolVar(&o.Force, "force", false, "compare results of different environments, and say so in the output")
	f.StringSliceVar(&o.Across, "across", nil, "`program` whose version is what is compared: haproxy, nginx or redis-server")
	f.StringVar(&o.page, "html", "", "`file` to write the comparison to as a page")
	f.BoolVar(&o.asJSON, "json", false, "print the comparison as JSON, and everything else on standard error")
	return cmd
}

// addFlags adds the flags that every command which compares has.
func (o *compareOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&o.Alpha, "alpha", report.DefaultAlpha, "largest chance that a comparison of equal systems calls anything different")
	f.BoolVar(&o.shown, "all", false, "show equal facts and the figures that are not judged too")
	f.BoolVar(&o.asMarkdown, "markdown", false, "print Markdown")
}

// complete checks --alpha, and leaves it to what is compared if nobody asked for one.
func (o *compareOptions) complete(cmd *cobra.Command) error {
	switch {
	case !cmd.Flags().Changed("alpha"):
		o.Alpha = 0
	case !(o.Alpha > 0 && o.Alpha < 1):
		return usageError{fmt.Errorf("--alpha %g is out of range; use one between 0 and 1, such as %g", o.Alpha, report.DefaultAlpha)}
	}
	return nil
}

// compare pairs the cells that were asked for and compares them.
func (o *compareOptions) compare(base, head *result.Run, two bool) (*report.Comparison, error) {
	if (o.baseCell == "") != (o.headCell == "") {
		return nil, errors.New("--base and --head name the two cells together; give both")
	}
	var pairs []report.CellPair
	var notes []string
	var err error
	switch {
	case o.baseCell != "":
		pairs = make([]report.CellPair, 1)
		pairs[0], err = report.PairCells(base, o.baseCell, head, o.headCell)
	case two:
		pairs, notes, err = report.PairRuns(base, head)
	default:
		return report.CompareSides(base, o.CompareOptions)
	}
	if err != nil {
		return nil, err
	}
	c, err := report.Compare(base, head, pairs, o.CompareOptions)
	if err != nil {
		return nil, err
	}
	c.Notes = append(c.Notes, notes...)
	return c, nil
}

// print shows a comparison and returns its exit code.
func (o *compareOptions) print(cmd *cobra.Command, c *report.Comparison) error {
	if o.page != "" {
		var page bytes.Buffer
		if err := report.HTMLComparison(&page, c); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
		if err := os.WriteFile(o.page, page.Bytes(), 0o644); err != nil {
			return usageError{fmt.Errorf("--html: %w", err)}
		}
	}
	people := cmd.OutOrStdout()
	if o.asJSON {
		people = cmd.ErrOrStderr()
		if err := c.JSON(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	write := func() error { return c.Text(people, terminalWidth(people), o.shown) }
	if o.asMarkdown {
		write = func() error { return c.Markdown(people, o.shown) }
	}
	if err := write(); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	if code := report.ExitCode(c.Verdict.Status); code != exitPass {
		return exitCode(code)
	}
	return nil
}
