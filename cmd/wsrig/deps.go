package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// allNeeds are the programs of every shipped proxy and bus.
func allNeeds() []testbed.Need {
	needs := []testbed.Need{testbed.RedisNeed}
	for _, d := range (catalog{}).Drivers() {
		needs = append(needs, need(d))
	}
	return needs
}

// scenarioNeeds are the programs of scenarios, by name or path.
func scenarioNeeds(names []string) ([]testbed.Need, error) {
	var needs []testbed.Need
	for _, name := range names {
		plan, err := loadPlan(name, scenario.Options{Catalog: catalog{}})
		if err != nil {
			return nil, err
		}
		needs = append(needs, planNeeds(plan)...)
		if busOf(plan, "") == testbed.BusRedis {
			needs = append(needs, testbed.RedisNeed)
		}
	}
	return needs, nil
}

// planNeeds are the programs of a plan's proxies and nodes.
func planNeeds(plan *scenario.Plan) []testbed.Need {
	var needs []testbed.Need
	for _, d := range drivers(plan) {
		needs = append(needs, need(d))
	}
	for _, c := range plan.Cells {
		needs = append(needs, testbed.NodeNeeds(c.Testbed.NodeCmd)...)
	}
	return needs
}

func need(driver string) testbed.Need {
	return testbed.Need{Binary: proxies[driver].Binary(), Package: proxies[driver].Package()}
}

func newDepsCommand() *cobra.Command {
	install := false
	cmd := &cobra.Command{
		Use:   "deps [SCENARIO...]",
		Short: "Tell which of redis-server, haproxy and nginx are missing, and install them if asked",
		Long: `Tell which programs are missing: those of every proxy and Redis, or of the scenarios named,
which may need a Node.js for their nodes. With --install they are installed with apt-get,
as root or through a sudo that asks for no password; no service is started or left enabled.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			needs := allNeeds()
			if len(args) > 0 {
				var err error
				if needs, err = scenarioNeeds(args); err != nil {
					return err
				}
			}
			missing := testbed.Missing(needs)
			if len(missing) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is missing")
				return nil
			}
			if !install {
				fmt.Fprintf(cmd.OutOrStdout(), "missing: %s\ninstall with: %s --install\n     or with: %s\n",
					testbed.Names(missing), strings.Join(append([]string{"wsrig", "deps"}, args...), " "), testbed.Command(missing, true))
				return exitCode(exitTestbed)
			}
			return installMissing(cmd.Context(), missing, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "install what is missing")
	return cmd
}

func installMissing(ctx context.Context, missing []testbed.Need, out io.Writer) error {
	fmt.Fprintf(out, "installing %s (services stay off)\n", testbed.Names(missing))
	err := testbed.NewInstaller(out).Install(ctx, missing)
	var cannot *testbed.CannotInstallError
	if err != nil && !errors.As(err, &cannot) {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	return err
}
