package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"wsrig/internal/result"
)

// readComparison holds the files of a comparison against the run: those of a run of two
// sides say what its verdict says, and other runs have none.
func readComparison(t *testing.T, run *result.Run, files map[string][]byte) {
	if run.Environment.Sides == nil {
		if len(files) > 0 {
			t.Errorf("a run without sides has %d files of a comparison", len(files))
		}
		return
	}
	var c Comparison
	dec := json.NewDecoder(bytes.NewReader(files["comparison.json"]))
	dec.DisallowUnknownFields()
	must(t, dec.Decode(&c))
	if c.Verdict.Status != run.Verdict.Status || !slices.Equal(c.Verdict.Reasons, run.Verdict.Reasons) || c.Base.Ref != run.Environment.Sides[result.SideBase] {
		t.Errorf("comparison.json has %v of %s, and the run %v of %s", c.Verdict, c.Base.Ref, run.Verdict, run.Environment.Sides)
	}
	isSound(t, files["comparison.html"])
	for name, want := range map[string]string{"comparison.txt": "FAIL: idle-timeout, base against head", "comparison.md": "## idle-timeout, base against head: FAIL"} {
		if !bytes.HasPrefix(files[name], []byte(want)) {
			t.Errorf("%s does not begin with %q", name, want)
		}
	}
}
