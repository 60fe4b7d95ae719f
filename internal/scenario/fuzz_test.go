package scenario_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/internal/scenario"
	"wsrig/scenarios"
)

// FuzzParse holds that no text makes Parse panic or accept what cannot be planned,
// and that each problem points into the text and prints on one line.
func FuzzParse(f *testing.F) {
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	mistakes, err := os.ReadFile(filepath.Join("testdata", "mistakes.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mistakes)
	for _, text := range []string{"", "a: &a [*a]\nb: *a\n", "? [a]\n: b\n", "%YAML 1.2\n---\na\n", "\ufeffname: x\r\n", "steps:\n- |\n  x\n", "'\"", "a: !!binary x\n<<: *a", "- - - ? :", "checks: [\"µ\\u0041 = 1\"]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := scenario.Parse("f", text)
		if err == nil {
			plan, err := scenario.Resolve(file, scenario.Options{Proxies: []string{"haproxy:x"}})
			if err != nil {
				return // a check or step that this proxy count does not allow
			}
			if _, err := json.Marshal(plan); err != nil || len(plan.Cells) == 0 {
				t.Fatalf("a plan of %d cells that cannot be saved: %v", len(plan.Cells), err)
			}
			return
		}
		checkProblems(t, text, err)
	})
}

func checkProblems(t *testing.T, text []byte, err error) {
	t.Helper()
	var problems scenario.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T is no list of problems", err)
	}
	lines := bytes.Count(bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), []byte("\n")) + 1
	last := 0
	for _, p := range problems {
		if p.File != "f" || p.Line < max(1, last) || p.Line > lines || p.Column < 1 {
			t.Fatalf("%s is no place in a text of %d lines, or out of order", p, lines)
		}
		if p.Message == "" || strings.ContainsAny(p.Message, "\r\n\x1b") {
			t.Fatalf("%q cannot be printed on a line", p.Message)
		}
		last = p.Line
	}
}

// Texts that a trusting parser spends minutes or gigabytes on. That this test ends
// is half of what it shows.
func TestHostileTextsAreRefused(t *testing.T) {
	t.Parallel()
	for sentence, text := range map[string]string{
		"nested flow lists":         strings.Repeat("[", 100_000),
		"nested flow maps":          strings.Repeat("{a: ", 100_000),
		"nested block lists":        strings.Repeat("- ", 9_000) + "x",
		"keys in keys":              strings.Repeat("a: ", 100_000),
		"complex keys":              strings.Repeat("? ", 100_000),
		"tags":                      strings.Repeat("!a ", 100_000),
		"anchors":                   strings.Repeat("&a ", 100_000),
		"ever deeper maps":          staircase(300),
		"half a million lines":      strings.Repeat("a: 1\n", 200_000),
		"a quoted text of escapes":  `name: "` + strings.Repeat(`\x41`, 200_000) + `"`,
		"a key of a megabyte":       strings.Repeat("k", 1_000_000) + ": 1",
		"one cell a proxy, 6000":    "name: x\nsummary: y\nproxies:\n" + strings.Repeat("- direct\n", 6000),
		"a step 6000 times":         "name: x\nsummary: y\nsteps:\n" + strings.Repeat("- wait\n", 6000),
		"a check 6000 times":        "name: x\nsummary: y\nchecks:\n" + strings.Repeat("- a\n", 6000),
		"a knob of 6000 values":     "vary:\n  clients:\n" + strings.Repeat("  - x\n", 6000),
		"all the terminal's escape": "name: \"\\e[31m\"\nsummary: y\n\"\\e[2J\\n\": 1",
	} {
		_, err := scenario.Parse("f", []byte(text))
		if err == nil {
			t.Errorf("%s: accepted", sentence)
			continue
		}
		checkProblems(t, []byte(text), err)
		if n := len(err.Error()); n > 30_000 {
			t.Errorf("%s: the error has %d bytes", sentence, n)
		}
	}
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// FuzzParseBaseline holds that no text makes ParseBaseline panic, and that each check it
// accepts has a line of the text.
func FuzzParseBaseline(f *testing.F) {
	for _, text := range []string{"scenario: x\nchecks: [delivery.lost == 0]\n", "scenario: y\n", "- a", "checks: [[a]]", "scenario: [", "scenario: x\r\nchecks:\r\n  - a\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checks, err := scenario.ParseBaseline("f", text, "x")
		if err != nil {
			var problems scenario.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("%T is no list of problems", err)
			}
			return
		}
		lines := bytes.Count(bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), []byte("\n")) + 1
		for _, c := range checks {
			if c.File != "f" || c.Line < 1 || c.Line > lines {
				t.Fatalf("%+v is no place in a text of %d lines", c, lines)
			}
		}
	})
}
