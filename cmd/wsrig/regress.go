package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"wsrig/internal/report"
	"wsrig/internal/result"
	"wsrig/internal/scenario"
)

// regressTrials is how many trials of each cell wsrig regress makes. With 8 of each side
// a test can come out at p = 2/12870, which is significant among up to 321 tests; with 6
// it would be among 23.
const regressTrials = 8

// regressOptions are the flags of wsrig regress.
type regressOptions struct {
	run     runOptions
	compare compareOptions
	base    string
	node    bool
}

func newRegressCommand() *cobra.Command {
	var o regressOptions
	cmd := &cobra.Command{
		Use:   "regress --base REF SCENARIO",
		Short: "Run a scenario on the proxy configurations of a git reference and of the working tree, and gate the difference",
		Long: `Take the proxy configurations of a git reference as base and those of the working tree,
with its uncommitted changes, as head; run both, trial by trial in turn, in one run on
this machine; compare them, and exit with 1 if anything became worse. Shipped variants are
the files haproxy/VARIANT.cfg and nginx/VARIANT.conf below the top of the repository; a
--proxy may be any file in it. What results/baseline/SCENARIO.yaml lists must hold in
head, whatever base does.

Exit codes: 0 nothing is worse; 1 something is; 2 usage, or a bad scenario or
configuration; 3 inconclusive: too few trials, or no data; 4 the testbed did not come up;
130 interrupted.`,
		Example: `  wsrig regress --base main idle-timeout
  wsrig regress --base v1.2 smoke --proxy deploy/haproxy.cfg
  wsrig regress --base main cross-node-latency --node    # the chat node as well`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.base == "" {
				return usageError{errors.New("--base is missing: the git reference to compare with, such as main")}
			}
			if o.node && o.run.nodeCmd != "" {
				return usageError{errors.New("--node compares wsrig's own chat nodes, which --node-cmd replaces; leave one out")}
			}
			if err := errors.Join(o.run.complete(), o.compare.complete(cmd)); err != nil {
				return err
			}
			return o.regress(cmd, args[0])
		},
	}
	o.run.addFlags(cmd)
	o.compare.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.base, "base", "", "git `reference` to compare with")
	f.BoolVar(&o.node, "node", false, "build and compare the chat nodes of both trees as well")
	f.IntVar(&o.run.Trials, "trials", regressTrials, "runs of each cell on each side")
	f.StringVar(&o.run.baseline, "baseline", "", "limits that head must keep: a `file`, or a folder with SCENARIO.yaml (default "+baselineDir+" of the repository, where it has one)")
	f.Lookup("json").Usage = "print the comparison as JSON, and everything else on standard error"
	return cmd
}

func (o *regressOptions) regress(cmd *cobra.Command, name string) (err error) {
	ctx := cmd.Context()
	repo, err := openRepository(ctx)
	if err != nil {
		return err
	}
	base, err := repo.checkOut(ctx, o.base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, base.remove()) }()
	run := o.run
	run.Trees = []scenario.Tree{
		{Side: result.SideBase, Find: base.find(repo), Nodes: o.node},
		{Side: result.SideHead, Find: repo.tree().find(repo), Nodes: o.node},
	}
	head, err := repo.describe(ctx)
	if err != nil {
		return err
	}
	run.sides = map[string]string{result.SideBase: fmt.Sprintf("%s (commit %s)", o.base, base.commit), result.SideHead: head}
	run.repeat, run.alpha = []string{"--base", o.base}, cmp.Or(o.compare.Alpha, report.DefaultAlpha)
	if o.compare.Alpha != 0 {
		run.repeat = append(run.repeat, "--alpha", fmt.Sprint(o.compare.Alpha))
	}
	if o.node {
		run.repeat = append(run.repeat, "--node")
		if run.nodes, err = buildNodes(ctx, base, repo, cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	asked := run.baseline != ""
	if !asked {
		run.baseline = repo.shown(filepath.FromSlash(baselineDir))
	}
	if err := run.addBaseline(name, asked); err != nil {
		return err
	}
	measured, dir, err := measure(cmd, name, run)
	if err != nil {
		return err
	}
	o.compare.asJSON = o.run.asJSON
	c, err := report.CompareSides(measured, o.compare.CompareOptions)
	if err != nil {
		return usageError{err}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "results: %s\n", dir)
	return o.compare.print(cmd, c)
}

// buildNodes builds the chat nodes of both trees in the same way.
func buildNodes(ctx context.Context, base *checkout, repo *repository, out io.Writer) (map[string]string, error) {
	nodes := map[string]string{}
	for _, one := range []struct{ side, tree string }{{result.SideBase, base.dir}, {result.SideHead, repo.top}} {
		fmt.Fprintf(out, "building the chat node of %s\n", one.side)
		binary := filepath.Join(base.temp, one.side+"-wsrig")
		if err := buildWsrig(ctx, one.tree, binary); err != nil {
			return nil, fmt.Errorf("%w: chat node of %s: %w", errTestbed, one.side, err)
		}
		nodes[one.side] = binary
	}
	return nodes, nil
}
