package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
	"wsrig/scenarios"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the shipped scenarios and proxy configurations",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SCENARIO\tQUESTION")
			for _, name := range scenarios.Names() {
				text, err := scenarios.Read(name)
				if err != nil {
					return err
				}
				f, err := scenario.Parse(name+scenarios.Extension, text)
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%s\t%s\n", name, f.Summary)
			}
			fmt.Fprintln(w, "\nPROXY\tCONFIGURATION")
			fmt.Fprintln(w, "direct\tno proxy: the control")
			for _, driver := range slices.Sorted(maps.Keys(proxies)) {
				variants := proxies[driver].Variants()
				for _, v := range slices.Sorted(maps.Keys(variants)) {
					fmt.Fprintf(w, "%s:%s\t%s\n", driver, v, variants[v])
				}
			}
			return w.Flush()
		},
	}
}
