package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

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

func need(driver string) testbed.Need {
	return testbed.Need{Binary: proxies[driver].Binary(), Package: proxies[driver].Package()}
}

func newDepsCommand() *cobra.Command {
	install := false
	cmd := &cobra.Command{
		Use:   "deps",
		Short: "Tell which of redis-server, haproxy and nginx are missing, and install them if asked",
		Long: `Tell which programs are missing. With --install they are installed with apt-get, as root
or through a sudo that asks for no password; no service is started or left enabled.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			missing := testbed.Missing(allNeeds())
			if len(missing) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is missing")
				return nil
			}
			if !install {
				fmt.Fprintf(cmd.OutOrStdout(), "missing: %s\ninstall with: wsrig deps --install\n     or with: %s\n", binaries(missing), testbed.Command(missing, true))
				return exitCode(exitTestbed)
			}
			return installMissing(cmd.Context(), missing, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "install what is missing")
	return cmd
}

func installMissing(ctx context.Context, missing []testbed.Need, out io.Writer) error {
	fmt.Fprintf(out, "installing %s (services stay off)\n", binaries(missing))
	err := testbed.NewInstaller(out).Install(ctx, missing)
	var cannot *testbed.CannotInstallError
	if err != nil && !errors.As(err, &cannot) {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	return err
}

func binaries(needs []testbed.Need) string {
	var names []string
	for _, n := range needs {
		names = append(names, n.Binary)
	}
	return strings.Join(names, ", ")
}
