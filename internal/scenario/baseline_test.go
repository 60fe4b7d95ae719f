package scenario

import (
	"slices"
	"strings"
	"testing"
)

func TestBaselineTellsEveryMistakeWithItsPlace(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"no map", "- delivery.lost == 0", "b.yaml:1:1: a baseline is a map; begin with scenario: smoke"},
		{"another scenario", "scenario: balance\nchecks: [delivery.lost == 0]", "b.yaml:1:11: this is the baseline of balance, not of smoke"},
		{"an unknown key", "scenario: smoke\ncheck: [delivery.lost == 0]", "b.yaml:2:1: "},
		{"no checks", "scenario: smoke", "checks"},
		{"no YAML", "scenario: [", "this is not YAML"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseBaseline("b.yaml", []byte(row.text), "smoke")
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want one with %q", err, row.want)
			}
		})
	}
}

func TestBaselineChecksAreOfThePlan(t *testing.T) {
	text := "scenario: x\nchecks:\n  - handshake.failed == 0\n  - connections.open == 1\n"
	extra, err := ParseBaseline("b.yaml", []byte(text), "x")
	if err != nil {
		t.Fatal(err)
	}
	const file = "name: x\nsummary: x\nsteps: [connect: {clients: 1}]\nchecks: [connections.open == 1]\n"
	plan, err := Load("x.yaml", []byte(file), Options{Checks: extra})
	if err != nil {
		t.Fatal(err)
	}
	want := []CheckPlan{{"connections.open == 1", 4, "b.yaml"}, {"handshake.failed == 0", 3, "b.yaml"}}
	if !slices.Equal(plan.Checks, want) {
		t.Errorf("checks %v, want %v: what both ask for is there once, as the baseline's", plan.Checks, want)
	}
}

func TestBaselineCheckThatNoCellCanHaveIsAMistake(t *testing.T) {
	_, err := Load("x.yaml", []byte("name: x\nsummary: x\nsteps: [connect: {clients: 1}]\n"),
		Options{Checks: []ExtraCheck{{"delivery.lost == 0", "b.yaml", 3}, {"nonsense == 1", "b.yaml", 4}}})
	for _, want := range []string{"b.yaml:3:", "no step gives delivery.lost", "b.yaml:4:", "nonsense"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
