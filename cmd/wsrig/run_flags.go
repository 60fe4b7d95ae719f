package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// addFlags adds the flags that every command which runs a scenario has.
func (o *runOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&o.Proxies, "proxy", nil, "`proxy` to run instead of the scenario's; may be repeated")
	f.IntVar(&o.Parallel, "parallel", 0, "cells to run at the same time (default the scenario's)")
	f.Uint64Var(&o.Seed, "seed", 0, "seed of everything that is drawn (default a new one)")
	f.StringSliceVar(&o.set, "set", nil, "`KNOB=VALUE` to set instead of the scenario's, as clients=500")
	f.StringVar(&o.out, "out", defaultOut, "`directory` for results")
	f.BoolVar(&o.asJSON, "json", false, "print the run as JSON, without raw histograms, and everything else on standard error")
	f.StringVar(&o.nodeCmd, "node-cmd", "", "`command` to run as chat nodes instead of wsrig's own, or the peer node-chat; short for --set node_cmd=COMMAND")
	o.runtimeOptions.flags(cmd)
}

// complete judges the flags that need no scenario.
func (o *runOptions) complete() error {
	o.Catalog = catalog{}
	if o.nodeCmd != "" {
		o.set = append(o.set, "node_cmd="+o.nodeCmd)
	}
	o.Set = make(map[string]string, len(o.set))
	for _, kv := range o.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return usageError{fmt.Errorf("--set %s: write it as KNOB=VALUE", kv)}
		}
		o.Set[k] = v
	}
	return o.apply(&o.Options)
}
