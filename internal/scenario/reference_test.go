package scenario_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"wsrig/internal/scenario"
	"wsrig/scenarios"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a committed file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run this test with -update", err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the code says; look at the difference and run this test with -update\n--- code says\n%s", path, got)
	}
}

// shipped parses every scenario that is in the binary.
func shipped(t *testing.T) []*scenario.File {
	t.Helper()
	var files []*scenario.File
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := scenario.Parse(name+scenarios.Extension, text)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != name {
			t.Errorf("%s%s names itself %q; the two must be the same", name, scenarios.Extension, f.Name)
		}
		files = append(files, f)
	}
	return files
}

func TestReferenceIsCommitted(t *testing.T) {
	golden(t, filepath.Join("..", "..", "scenarios", "README.md"), scenario.Reference(shipped(t)))
}
