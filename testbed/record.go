package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// record is what a runtime writes into its working directory while it lives, so that
// what a killed rig leaves can be told from everything else.
type record struct {
	Owner Owner            `json:"owner"`
	Units map[string]Owner `json:"units,omitempty"` // first processes of local units
}

// recordName is its file; no unit has such a name, which begins with a dot.
const recordName = ".wsrig-run.json"

func writeRecord(dir string, r record) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = replaceFile(filepath.Join(dir, recordName), text)
	}
	if err != nil {
		return fmt.Errorf("record of what runs: %w", err)
	}
	return nil
}

func readRecord(dir string) (r record, err error) {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && (r.Owner.PID <= 0 || r.Owner.Space == "") {
		err = fmt.Errorf("%s names no owner", filepath.Join(dir, recordName))
	}
	return r, err
}

// recordUnit adds a unit that was just started, or started again. The caller sees to it
// that nobody else writes the record. A process that is over already needs no record.
func recordUnit(dir, unit string, pid int) error {
	now, err := findProcess(pid)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record of what runs: %w", err)
	}
	r, err := readRecord(dir)
	if err != nil {
		return fmt.Errorf("record of what runs: %w", err)
	}
	if r.Units == nil {
		r.Units = map[string]Owner{}
	}
	r.Units[unit] = now
	return writeRecord(dir, r)
}
