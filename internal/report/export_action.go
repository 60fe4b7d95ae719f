package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"wsrig/internal/result"
)

// actionEntry is a figure as github-action-benchmark reads it with the tools
// customBiggerIsBetter and customSmallerIsBetter.
type actionEntry struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"` // half the distance of the extremes of the trials
	Extra string  `json:"extra,omitempty"`
}

// actionFiles are the medians of every cell, one file for each direction, since the
// action takes one direction a step. Metrics that are neither better higher nor lower
// are left out, and so are cells without a conclusive trial.
func actionFiles(run *result.Run) ([]File, error) {
	entries := map[string][]actionEntry{"higher": {}, "lower": {}}
	names := distinct{}
	for i := range run.Cells {
		c := &run.Cells[i]
		trials, conclusive := c.Conclusive()
		if !conclusive {
			continue
		}
		for _, metric := range slices.Sorted(maps.Keys(c.Metrics)) {
			m := c.Metrics[metric]
			if _, ok := entries[m.Better]; !ok {
				continue
			}
			e := actionEntry{
				Name:  names.name(printable(c.ID + ": " + metric)),
				Unit:  printable(m.Unit),
				Value: m.Value,
				Extra: fmt.Sprintf("%s, %s", plural(len(trials), "trial", "trials"), plural(int(m.N), "sample", "samples")),
			}
			if least, greatest, ok := extremes(trials, metric); ok && len(trials) > 1 {
				e.Range = fmt.Sprintf("± %g", greatest/2-least/2)
			}
			entries[m.Better] = append(entries[m.Better], e)
		}
	}
	var files []File
	for _, f := range []struct{ name, better string }{{"benchmark-bigger.json", "higher"}, {"benchmark-smaller.json", "lower"}} {
		data, err := indented(entries[f.better])
		if err != nil {
			return nil, err
		}
		files = append(files, File{f.name, data})
	}
	return files, nil
}

// indented is v as JSON, one value a line. <, > and & are escaped: pages show it.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
