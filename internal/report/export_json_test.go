package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"wsrig/internal/result"
)

// conclusiveFigures counts the medians of the cells with a conclusive trial.
func conclusiveFigures(run *result.Run, keep func(result.Metric) bool) (n int) {
	for i := range run.Cells {
		if _, ok := run.Cells[i].Conclusive(); !ok {
			continue
		}
		for _, m := range run.Cells[i].Metrics {
			if keep(m) {
				n++
			}
		}
	}
	return n
}

func readAction(t *testing.T, run *result.Run, files map[string][]byte) {
	names := map[string]bool{}
	for file, better := range map[string]string{"benchmark-bigger.json": "higher", "benchmark-smaller.json": "lower"} {
		var entries []actionEntry
		d := json.NewDecoder(bytes.NewReader(files[file]))
		d.DisallowUnknownFields()
		must(t, d.Decode(&entries))
		if want := conclusiveFigures(run, func(m result.Metric) bool { return m.Better == better }); len(entries) != want || entries == nil {
			t.Errorf("%s has %d figures, want %d in a list", file, len(entries), want)
		}
		for _, e := range entries {
			if e.Name == "" || names[e.Name] || printable(e.Name) != e.Name {
				t.Errorf("%s: the name %q is empty, used twice, or has control characters", file, e.Name)
			}
			names[e.Name] = true
		}
	}
}

func TestActionHasMedianRangeAndDirection(t *testing.T) {
	run := load(t, "smoke")
	files := exported(t, "action", run)
	for file, want := range map[string]string{"benchmark-smaller.json": "direct: delivery.latency.p50", "benchmark-bigger.json": "direct: delivery.reach"} {
		var entries []actionEntry
		must(t, json.Unmarshal(files[file], &entries))
		found := false
		for _, e := range entries {
			if e.Name != want {
				continue
			}
			found = true
			_, metric, _ := strings.Cut(e.Name, ": ")
			if m := run.Cells[0].Metrics[metric]; e.Value != m.Value || e.Unit != m.Unit || !strings.HasPrefix(e.Range, "± ") || !strings.HasPrefix(e.Extra, "3 trials, ") {
				t.Errorf("%s: %+v, want the median %+v", file, e, m)
			}
		}
		if !found {
			t.Errorf("%s lacks %s", file, want)
		}
	}
	for _, data := range files {
		if bytes.Contains(data, []byte("rate.asked")) {
			t.Error("a metric of no direction has one")
		}
	}
}

// bmfSchema is the schema of the format as Bencher publishes it (Bencher
// documentation, reference, Bencher Metric Format).
const bmfSchema = `{"$schema": "http://json-schema.org/draft-07/schema", "type": "object", "patternProperties": {".+":
	{"type": "object", "patternProperties": {".+": {"type": "object", "required": ["value"], "properties":
	{"value": {"type": "number"}, "lower_value": {"type": "number"}, "upper_value": {"type": "number"}}}}}}}`

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(#[0-9]+)?$`)

func readBMF(t *testing.T, run *result.Run, files map[string][]byte) {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(bmfSchema))
	must(t, err)
	c := jsonschema.NewCompiler()
	must(t, c.AddResource("bmf.json", schema))
	compiled, err := c.Compile("bmf.json")
	must(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(files["bmf.json"]))
	must(t, err)
	must(t, compiled.Validate(doc))
	var benchmarks map[string]map[string]bmfMetric
	must(t, json.Unmarshal(files["bmf.json"], &benchmarks))
	figures := 0
	for name, measures := range benchmarks {
		if n := utf8.RuneCountInString(name); n == 0 || n > 1024 {
			t.Errorf("a benchmark has a name of %d characters", n)
		}
		for measure, m := range measures {
			figures++
			if len(measure) > bmfMeasure || !slug.MatchString(measure) {
				t.Errorf("the measure %q is no slug", measure)
			}
			if m.Lower != nil && (*m.Lower > m.Value || *m.Upper < m.Value) {
				t.Errorf("%s: %g is not between %g and %g", measure, m.Value, *m.Lower, *m.Upper)
			}
		}
	}
	if want := conclusiveFigures(run, func(result.Metric) bool { return true }); figures != want {
		t.Errorf("there are %d figures, want %d", figures, want)
	}
}

// Slugs are what Bencher finds a measure by: two metrics must not share one.
func TestBMFSlugsAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, name := range result.MetricNames() {
		d, err := result.Lookup(name)
		must(t, err)
		s := bmfSlug(name, d.Unit)
		if !slug.MatchString(s) || strings.Contains(s, "#") || len(s) > bmfMeasure || seen[s] != "" {
			t.Errorf("%s has the slug %q, as has %q", name, s, seen[s])
		}
		seen[s] = name
	}
	for metric, want := range map[string]string{"delivery.latency.p99.9": "delivery-latency-p99-9-s", "\x00|": "s"} {
		if got := bmfSlug(metric, "s"); got != want {
			t.Errorf("bmfSlug(%q) = %q, want %q", metric, got, want)
		}
	}
	if got := bmfSlug("delivery.rate", "/s"); got != "delivery-rate-per-s" {
		t.Errorf("a rate has the slug %q", got)
	}
}
