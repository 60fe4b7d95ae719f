package report

import (
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"wsrig/internal/result"
)

// bmfMetric is a figure of the Bencher Metric Format: the median of a cell, and the
// extremes of its trials where there are several.
type bmfMetric struct {
	Value float64  `json:"value"`
	Lower *float64 `json:"lower_value,omitempty"`
	Upper *float64 `json:"upper_value,omitempty"`
}

// The longest name of a measure in Bencher, in characters.
const bmfMeasure = 64

// writeBMF writes the cells as benchmarks of the Bencher Metric Format and their
// metrics as measures, named by slugs so that Bencher makes them by itself:
// delivery-latency-p99-s. Values are in the units of the metric table, which end the
// slugs. Cells without a conclusive trial are left out.
func writeBMF(w io.Writer, run *result.Run) error {
	benchmarks, names := map[string]map[string]bmfMetric{}, distinct{}
	for i := range run.Cells {
		c := &run.Cells[i]
		trials, conclusive := c.Conclusive()
		if !conclusive || len(c.Metrics) == 0 {
			continue
		}
		measures, slugs := map[string]bmfMetric{}, distinct{}
		for _, metric := range slices.Sorted(maps.Keys(c.Metrics)) {
			m := bmfMetric{Value: c.Metrics[metric].Value}
			if least, greatest, ok := extremes(trials, metric); ok && len(trials) > 1 {
				m.Lower, m.Upper = &least, &greatest
			}
			measures[slugs.name(bmfSlug(metric, c.Metrics[metric].Unit))] = m
		}
		benchmarks[names.name(printable(c.ID))] = measures
	}
	data, err := indented(benchmarks)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// bmfSlug is the slug of a measure: lower-case letters, digits and single dashes.
func bmfSlug(metric, unit string) string {
	words := strings.FieldsFunc(strings.ToLower(metric+" "+strings.ReplaceAll(unit, "/", " per ")), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	slug := strings.Join(words, "-")
	if utf8.RuneCountInString(slug) > bmfMeasure-len("#01") {
		slug = strings.TrimRight(slug[:bmfMeasure-len("#01")], "-")
	}
	if slug == "" {
		return "unnamed"
	}
	return slug
}
