package budget

import (
	"strings"
	"testing"
)

func TestLinesSayWhatAFactMeans(t *testing.T) {
	want := map[string][2]string{
		"descriptors of a process": {"20,000 (soft 20,000, root may allow 1,048,576)", "18,000 clients in each node and worker, 9,000 in each proxy process"},
		"ephemeral ports":          {"32768 to 60999: 28,232", "25,409 clients from one source address to one destination"},
		"connection tracking":      {"100 of 262,144", "235,830 clients direct, 117,915 through a proxy"},
		"memory available":         {"22 GiB of 24 GiB", "direct"},
		"accept queue":             {"4,096", "1 s later"},
	}
	for _, l := range reference().Lines() {
		if w, ok := want[l.Fact]; ok && (l.Value != w[0] || !strings.Contains(l.Meaning, w[1])) {
			t.Errorf("%s: got %q, %q; want %q, %q", l.Fact, l.Value, l.Meaning, w[0], w[1])
		}
		delete(want, l.Fact)
	}
	if len(want) > 0 {
		t.Errorf("no line for %v", want)
	}
	for _, l := range (Machine{}).Lines() {
		if strings.Contains(l.Value, "-") || l.Meaning == "" || l.Fact != "cores" && l.Fact != "source addresses" && !strings.Contains(l.Value, "unknown") {
			t.Errorf("of an unknown machine: %+v", l)
		}
	}
}
