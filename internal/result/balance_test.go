package result

import (
	"slices"
	"strings"
	"testing"
)

func TestPhasesHaveTheMetricsOfTheirFamily(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"balance.fair", "balance.restart.fair", "balance.add.max_over_mean"} {
		d, err := Lookup(name)
		if err != nil || d.Name != name || d.Unit != "ratio" {
			t.Errorf("Lookup(%q) = %+v, %v", name, d, err)
		}
		if !slices.Contains(MetricNames(), name) {
			t.Errorf("MetricNames lacks %s", name)
		}
	}
	for _, name := range []string{"balance.lunch.fair", "balance.restart", "balance.restart.lost", "balance.start.restart.fair", "delivery.restart.lost"} {
		if d, err := Lookup(name); err == nil {
			t.Errorf("Lookup(%q) = %+v, want an error", name, d)
		}
	}
	if _, err := Lookup("balance.restart.fare"); err == nil || !strings.Contains(err.Error(), "balance.restart.fair") {
		t.Errorf("a mistyped metric of a phase: %v", err)
	}
	if got := BalanceMetric("", "fair") + " " + BalanceMetric("add", "fair"); got != "balance.fair balance.add.fair" {
		t.Errorf("names are %s", got)
	}
}
