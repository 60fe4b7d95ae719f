package result

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a small run with a value in every kind of field.
func sample(t testing.TB) *Run {
	t.Helper()
	h := NewHDR()
	for _, v := range []int64{1, 2_000, 2_001, 600_000} {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := Encode(h, "ms", 1, 600_000)
	if err != nil {
		t.Fatal(err)
	}
	yes, open := true, 2
	m := map[string]Metric{}
	Set(m, "delivery.reach", 0.1+0.2, 4)
	return &Run{
		Schema:      Schema,
		Scenario:    "sample",
		Environment: Environment{RunID: "a", Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Command: []string{"wsrig", "run", "<sample>"}},
		Plan:        json.RawMessage("{\n \"seed\": 18446744073709551615 }"),
		Marks:       []Mark{{Cell: "direct", Trial: 1, Kind: "idle", Text: "idle for 1s", Start: 0.5, End: 1.5}},
		Cells: []Cell{{
			ID: "direct", Proxy: "direct", Metrics: m,
			Trials: []Trial{{
				Index: 1, Metrics: m, Histograms: map[string]Histogram{"idle.closed_after": packed},
				Intervals: []Interval{{Start: 0, Latency: &packed, ByNode: map[string]int{"n1": 2}}, {Start: 1}},
				Closes:    []CloseGroup{{By: "proxy", Kind: "FIN", Count: 4, After: &packed, Silent: &packed}},
				Views:     []View{{At: "connect", Client: 2, Node: map[string]int{"n1": 2}, Proxy: &open}},
				Usage:     []Usage{{Unit: "n1", Samples: []UsageSample{{At: 1, CPU: 0.5, RSS: 1 << 20}}}},
			}},
		}},
		Checks:  []Check{{Cell: "direct", Expr: "delivery.reach < 1", OK: &yes, Got: "30 %", Want: "< 100 %"}, {Expr: "open"}},
		Verdict: Verdict{Status: Inconclusive, Reasons: []string{"open"}},
	}
}

func TestWriteReadRoundTrip(t *testing.T) {
	dir := t.TempDir()
	run := sample(t)
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, FileName)} {
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := withoutNulls(run); !reflect.DeepEqual(got, want) {
			t.Errorf("Read(%s) = %+v\nwant %+v", path, got, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"expr": "delivery.reach < 1"`) {
		t.Error("the file escapes <, which people have to read")
	}
	for _, list := range []string{"marks", "cells", "checks", "reasons", "trials", "params"} {
		if strings.Contains(string(text), `"`+list+`": null`) {
			t.Errorf("%s is null; a reader cannot loop over that", list)
		}
	}
}

func TestWriteLeavesTheOldFileWhenItFails(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sample(t)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	bad := sample(t)
	bad.Plan = json.RawMessage("{")
	if err := Write(dir, bad); err == nil {
		t.Error("a plan that is not JSON was written")
	}
	after, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the file has changed (%v)", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the directory: %v (%v)", entries, err)
	}
	if err := Write(filepath.Join(dir, "absent"), sample(t)); err == nil {
		t.Error("a run was written into a directory that does not exist")
	}
}

func TestWriteRefusesWhatReadWouldRefuse(t *testing.T) {
	damaged := Histogram{Unit: "ms", Count: 1, HDR: "HISTFAAAAA=="}
	for _, row := range []struct {
		sentence string
		spoil    func(*Run)
		want     string // part of the error
	}{
		{"another schema", func(r *Run) { r.Schema = 7 }, "its schema is 7"},
		{"no scenario", func(r *Run) { r.Scenario = "" }, "scenario has no name"},
		{"no verdict", func(r *Run) { r.Verdict = Verdict{} }, `status "" is none of`},
		{"a metric that is not a number", func(r *Run) { r.Cells[0].Metrics["delivery.reach"] = Metric{Value: math.NaN()} }, `cell "direct": metric "delivery.reach"`},
		{"an infinite metric of a trial", func(r *Run) {
			r.Cells[0].Trials[0].Metrics = map[string]Metric{"rate.asked": {Value: math.Inf(1)}}
		}, `cell "direct": trial 1: metric "rate.asked"`},
		{"a check of an unknown cell", func(r *Run) { r.Checks[0].Cell = "nginx" }, `checks[0]: there is no cell "nginx"`},
		{"a mark of an unknown cell", func(r *Run) { r.Marks[0].Cell = "nginx" }, `marks[0]: there is no cell "nginx"`},
		{"a mark of no cell", func(r *Run) { r.Marks[0].Cell = "" }, `marks[0]: there is no cell ""`},
		{"a mark at no time", func(r *Run) { r.Marks[0].End = math.Inf(1) }, "marks[0]: its times"},
		{"two cells of one name", func(r *Run) { r.Cells = append(r.Cells, r.Cells[0]) }, `cells[1]: id "direct"`},
		{"two trials of one number", func(r *Run) { r.Cells[0].Trials = append(r.Cells[0].Trials, Trial{Index: 1}) }, "trials[1]: index 1"},
		{"a damaged histogram", func(r *Run) { r.Cells[0].Trials[0].Histograms["x"] = damaged }, `histogram "x": histogram is damaged`},
		{"a damaged histogram of an interval", func(r *Run) { r.Cells[0].Trials[0].Intervals[0].Latency = &damaged }, "intervals[0]: latency: histogram is damaged"},
		{"a damaged histogram of closes", func(r *Run) { r.Cells[0].Trials[0].Closes[0].Silent = &damaged }, "closes[0]: silent: histogram is damaged"},
		{"fewer than no clients", func(r *Run) { r.Cells[0].Trials[0].Intervals[0].ByNode["n1"] = -1 }, `intervals[0]: node "n1" has -1 clients`},
		{"a histogram with another count", func(r *Run) { r.Cells[0].Trials[0].Closes[0].After.Count++ }, "it holds 4 values where 5 are stated"},
	} {
		run := sample(t)
		row.spoil(run)
		err := Write(t.TempDir(), run)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", row.sentence, err, row.want)
		}
	}
}

func TestReadRefusesGarbage(t *testing.T) {
	good, err := encode(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	spoilt := func(old, with string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %s in the sample", old)
		}
		return strings.Replace(string(good), old, with, 1)
	}
	for _, row := range []struct {
		sentence, text, want string
	}{
		{"nothing", "", "not a run"},
		{"not JSON", "<html>", "not a run: line 1: invalid character '<'"},
		{"cut off", string(good[:len(good)/2]), "unexpected end of JSON input"},
		{"two files in one", string(good) + string(good), "after top-level value"},
		{"another JSON", `{"name": "x"}`, `"schema" is missing`},
		{"an array", `[]`, "cannot unmarshal array"},
		{"a newer schema", `{"schema": 2, "cells": "of another kind"}`, "written by a newer wsrig (schema 2); this one reads up to 1"},
		{"a schema below all", `{"schema": 0}`, `"schema" is missing or below 1`},
		{"a number out of range", spoilt(`"value": 0.3`, `"value": 1e999`), "line "},
		{"a text where a number should be", spoilt(`"index": 1`, `"index": "one"`), "line "},
		{"a verdict of another kind", spoilt(`"status": "inconclusive"`, `"status": "great"`), `status "great"`},
	} {
		path := filepath.Join(t.TempDir(), "some.json")
		if err := os.WriteFile(path, []byte(row.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with %q and the path", row.sentence, err, row.want)
		}
	}
}

func TestReadRefusesWhatIsNoFileOfARun(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), FileName) {
		t.Errorf("a directory without a run: %v", err)
	}
	big := filepath.Join(dir, "big.json")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxFile+1); err != nil { // sparse: takes no room
		t.Fatal(err)
	}
	if _, err := Read(big); err == nil || !strings.Contains(err.Error(), "has at most 268435456") {
		t.Errorf("an oversized file: %v", err)
	}
	if _, err := Read(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a device: %v", err)
	}
}

func TestReadHeadIsTheRunWithoutItsTrials(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sample(t)); err != nil {
		t.Fatal(err)
	}
	whole, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	head, err := ReadHead(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Run{Schema: Schema, Scenario: whole.Scenario, Environment: whole.Environment, Verdict: whole.Verdict}
	for _, c := range whole.Cells {
		want.Cells = append(want.Cells, Cell{ID: c.ID, Proxy: c.Proxy, Params: c.Params, Metrics: c.Metrics})
	}
	if !reflect.DeepEqual(head, withoutNulls(&want)) {
		t.Errorf("got  %+v\nwant %+v", head, want)
	}
	for _, text := range []string{"", "{", `{"schema": 99}`, `{"schema": 1, "scenario": "x", "verdict": {"status": "maybe"}}`, `{"schema": 1, "cells": 3}`} {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHead(dir); err == nil || !strings.Contains(err.Error(), FileName) {
			t.Errorf("%q: error %v, want one that names the file", text, err)
		}
	}
}

func TestMigrationsRunOneVersionAtATime(t *testing.T) {
	replace := func(old, with string) func([]byte) ([]byte, error) {
		return func(data []byte) ([]byte, error) { return []byte(strings.Replace(string(data), old, with, 1)), nil }
	}
	steps := map[int]func([]byte) ([]byte, error){
		2: replace(`"schema": 2, "first"`, `"schema": 3, "second"`),
		3: replace(`"schema": 3, "second"`, `"schema": 4, "third"`),
	}
	for _, row := range []struct{ text, want, failure string }{
		{`{"schema": 2, "first": 1}`, `{"schema": 4, "third": 1}`, ""},
		{`{"schema": 3, "second": 1}`, `{"schema": 4, "third": 1}`, ""},
		{`{"schema": 4, "third": 1}`, `{"schema": 4, "third": 1}`, ""},
		{`{"schema": 0}`, "", `not a run: "schema" is missing or below 1; name a run.json that wsrig wrote`},
		{`{"schema": 1}`, "", "written by an older wsrig (schema 1), which this one no longer reads: read it with that wsrig, or repeat the run"},
		{`{"schema": 5}`, "", "written by a newer wsrig (schema 5); this one reads up to 4: read it with that wsrig, or update this one"},
	} {
		got, err := migrate([]byte(row.text), 4, steps)
		if string(got) != row.want || (err == nil) != (row.failure == "") || err != nil && err.Error() != row.failure {
			t.Errorf("migrate(%s) = %s, %v; want %s, %s", row.text, got, err, row.want, row.failure)
		}
	}
}

// FuzzReadRun holds that any input is an error or a run that can be written and
// read back as the same.
func FuzzReadRun(f *testing.F) {
	good, err := encode(sample(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	full, err := encode(everyField(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"schema":1,"scenario":"x","verdict":{"status":"pass"}}`))
	f.Add([]byte(`{"schema":1,"scenario":"x","plan":{"a":"\u2028<"},"cells":[{"id":"a","trials":[{"index":1,"intervals":[{}],"closes":[{}],"balance":[{"processes":[],"expected":{}}],"probes":[]}]}],"verdict":{"status":"pass"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "in.json")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		run, err := Read(path)
		if err != nil {
			return
		}
		dir := t.TempDir()
		if err := Write(dir, run); err != nil {
			t.Fatalf("a run that was read cannot be written: %v", err)
		}
		again, err := Read(dir)
		if err != nil {
			t.Fatalf("a run that was written cannot be read: %v", err)
		}
		if !reflect.DeepEqual(run, again) {
			t.Fatalf("read back as another run:\n%+v\n%+v", run, again)
		}
		first, err := encode(run)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := encode(again); err != nil || !slices.Equal(first, second) {
			t.Fatalf("written again as another file (%v):\n%s\n%s", err, first, second)
		}
	})
}
