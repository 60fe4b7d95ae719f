package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"wsrig/internal/scenario"
	"wsrig/scenarios"
)

// baselineDir holds the committed baselines, one SCENARIO.yaml each, below the top of a
// repository.
const baselineDir = "results/baseline"

// addBaselineFlag adds --baseline, which without a value is baselineDir.
func (o *runOptions) addBaselineFlag(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.baseline, "baseline", "", "also hold the run against the limits in this `file`, or in SCENARIO.yaml of this folder (without a value "+baselineDir+")")
	f.Lookup("baseline").NoOptDefVal = baselineDir
}

// addBaseline reads the limits that --baseline names into the options: from a file, or
// from SCENARIO.yaml of a folder. It may only be missing when nobody asked for it.
func (o *runOptions) addBaseline(scenarioArg string, asked bool) error {
	if o.baseline == "" {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(scenarioArg), scenarios.Extension)
	path := o.baseline
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, name+scenarios.Extension)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return nil
	}
	if err != nil {
		return usageError{fmt.Errorf("--baseline: %w; write the limits of %s there, or name another file", err, name)}
	}
	o.Checks, err = scenario.ParseBaseline(path, text, name)
	o.repeat = append(o.repeat, "--baseline="+o.baseline)
	return err
}
