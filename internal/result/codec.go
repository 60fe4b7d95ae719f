package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// FileName is the name of a run's file in its directory.
const FileName = "run.json"

// maxFile is the largest run.json that Read takes, in bytes. An idle run of 25
// cells is about 1 MiB, so a larger file is not a run, or its raw data went into
// the wrong place.
const maxFile = 256 << 20

// migrations bring a run.json of an older schema up by one version each: the
// function under n turns version n into n+1.
var migrations = map[int]func([]byte) ([]byte, error){}

// Write saves r as dir/run.json, one value a line so that two runs can be compared
// with diff. The file appears whole or not at all: it is written beside its place,
// synced and renamed. A run that Read would refuse is refused here, with the place
// of the mistake.
func Write(dir string, r *Run) error {
	data, err := encode(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".run-*.json")
	if err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, FileName))
	}
	if err != nil {
		return fmt.Errorf("save run: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return syncDir(dir)
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	return nil
}

// Read loads a run from its directory or from the file itself. Files of an older
// schema are brought up to date; one of a newer schema, and anything damaged, is an
// error that says where.
func Read(path string) (*Run, error) { return read(path, decode) }

// ReadHead loads what a list of runs shows of one: scenario, environment, verdict,
// and each cell with its figures, but no trial, mark or check. It takes what Read
// takes, and is many times as fast, since it decodes no histogram.
func ReadHead(path string) (*Run, error) { return read(path, decodeHead) }

func read(path string, decode func([]byte) (*Run, error)) (*Run, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read run: %s is not a regular file", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read run: %s has %d bytes; a run.json has at most %d", path, info.Size(), maxFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read run: %s: %w", path, err)
	}
	return r, nil
}

func encode(r *Run) ([]byte, error) {
	if r.Schema != Schema {
		return nil, fmt.Errorf("save run: its schema is %d; this wsrig writes %d", r.Schema, Schema)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("save run: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // checks hold < and >, and people read this file
	enc.SetIndent("", " ")
	if err := enc.Encode(withoutNulls(r)); err != nil {
		return nil, fmt.Errorf("save run: %w", err)
	}
	if b.Len() > maxFile {
		return nil, fmt.Errorf("save run: it has %d bytes; a run.json has at most %d", b.Len(), maxFile)
	}
	return b.Bytes(), nil
}

func decode(data []byte) (*Run, error) {
	data, err := migrate(data, Schema, migrations)
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, located(err, data)
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	return withoutNulls(&r), nil
}

// decodeHead is decode without trials, marks and checks.
func decodeHead(data []byte) (*Run, error) {
	data, err := migrate(data, Schema, migrations)
	if err != nil {
		return nil, err
	}
	var head struct {
		Scenario    string      `json:"scenario"`
		Environment Environment `json:"environment"`
		Cells       []struct {
			ID      string            `json:"id"`
			Proxy   string            `json:"proxy"`
			Params  map[string]string `json:"params"`
			Metrics map[string]Metric `json:"metrics"`
		} `json:"cells"`
		Verdict Verdict `json:"verdict"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, located(err, data)
	}
	r := Run{Schema: Schema, Scenario: head.Scenario, Environment: head.Environment, Verdict: head.Verdict}
	for _, c := range head.Cells {
		r.Cells = append(r.Cells, Cell{ID: c.ID, Proxy: c.Proxy, Params: c.Params, Metrics: c.Metrics})
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	return withoutNulls(&r), nil
}

// migrate brings a file up to the schema current. It looks at the schema before
// anything else, because all other fields may mean something else in another version.
func migrate(data []byte, current int, steps map[int]func([]byte) ([]byte, error)) ([]byte, error) {
	for range current {
		var head struct {
			Schema *int `json:"schema"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			return nil, located(err, data)
		}
		switch {
		case head.Schema == nil || *head.Schema < 1:
			return nil, errors.New(`not a run: "schema" is missing or below 1`)
		case *head.Schema > current:
			return nil, fmt.Errorf("written by a newer wsrig (schema %d); this one reads up to %d", *head.Schema, current)
		case *head.Schema == current:
			return data, nil
		}
		step, ok := steps[*head.Schema]
		if !ok {
			return nil, fmt.Errorf("written by an older wsrig (schema %d), which this one no longer reads", *head.Schema)
		}
		next, err := step(data)
		if err != nil {
			return nil, fmt.Errorf("bring schema %d up to date: %w", *head.Schema, err)
		}
		data = next
	}
	return nil, errors.New("bring it up to date: a step led to no newer schema")
}

// located adds to an error of encoding/json the line it is on.
func located(err error, data []byte) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("not a run: %w", err)
	}
	return fmt.Errorf("not a run: line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}

// withoutNulls returns r in its one canonical form: lists and maps that the schema
// always has are empty rather than null, so that readers in any language can loop
// over them; optional ones are nil when empty; the plan has no white space. r and
// the caller's cells stay as they are.
func withoutNulls(r *Run) *Run {
	c := *r
	c.Plan = compacted(r.Plan)
	c.Marks, c.Checks = present(r.Marks), present(r.Checks)
	c.Verdict.Reasons = present(r.Verdict.Reasons)
	c.Environment.Command = present(r.Environment.Command)
	c.Environment.Limits, c.Environment.Versions = presentMap(r.Environment.Limits), presentMap(r.Environment.Versions)
	c.Cells = make([]Cell, len(r.Cells))
	for i, cell := range r.Cells {
		cell.Params, cell.Metrics = presentMap(cell.Params), presentMap(cell.Metrics)
		cell.Config, cell.NodeCmd = optional(cell.Config), optional(cell.NodeCmd)
		trials := make([]Trial, len(cell.Trials))
		for j, t := range cell.Trials {
			trials[j] = canonicalTrial(t)
		}
		cell.Trials = trials
		c.Cells[i] = cell
	}
	return &c
}

func canonicalTrial(t Trial) Trial {
	t.Metrics = presentMap(t.Metrics)
	t.Histograms, t.Handshakes = optionalMap(t.Histograms), optionalMap(t.Handshakes)
	t.Closes, t.Losses = optional(t.Closes), optional(t.Losses)
	t.Inconclusive, t.Failed = optional(t.Inconclusive), optional(t.Failed)
	t.Intervals = optional(append([]Interval(nil), t.Intervals...))
	for i := range t.Intervals {
		t.Intervals[i].ByNode = optionalMap(t.Intervals[i].ByNode)
	}
	t.Views = optional(append([]View(nil), t.Views...))
	for i := range t.Views {
		t.Views[i].Node = presentMap(t.Views[i].Node)
	}
	t.Usage = optional(append([]Usage(nil), t.Usage...))
	for i := range t.Usage {
		t.Usage[i].Samples = present(t.Usage[i].Samples)
	}
	return t
}

func compacted(plan json.RawMessage) json.RawMessage {
	if len(plan) == 0 {
		return json.RawMessage("null")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, plan); err != nil {
		return plan // the encoder reports it
	}
	return b.Bytes()
}

func present[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func optional[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func presentMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

func optionalMap[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
