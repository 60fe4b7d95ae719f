package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsrig/scenarios"
)

// TestCommittedBaselinesFitTheirScenarios: each names a shipped scenario and asks for
// what that measures.
func TestCommittedBaselinesFitTheirScenarios(t *testing.T) {
	files, err := filepath.Glob("../../" + baselineDir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no baseline in %s: %v", baselineDir, err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), scenarios.Extension)
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(scenarios.Names(), name) {
				t.Fatalf("there is no scenario %s", name)
			}
			o := runOptions{runtimeOptions: runtimeOptions{runtime: "process"}, baseline: path}
			if err := o.complete(); err != nil {
				t.Fatal(err)
			}
			if err := o.addBaseline(name, true); err != nil {
				t.Fatal(err)
			}
			plan, err := loadPlan(name, o.Options)
			if err != nil {
				t.Fatal(err)
			}
			absolute := 0
			for _, c := range plan.Checks {
				if c.File == path && c.Line > 0 {
					absolute++
				}
			}
			if absolute != len(o.Checks) || absolute == 0 {
				t.Errorf("%d checks of the plan are the baseline's, which has %d", absolute, len(o.Checks))
			}
		})
	}
	if _, err := os.Stat("../../" + baselineDir + "/README.md"); err != nil {
		t.Error(err)
	}
}
