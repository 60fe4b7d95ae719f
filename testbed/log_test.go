package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTailLines(t *testing.T) {
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	long := strings.Repeat("ü", 1000)
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"an empty log", "", nil},
		{"empty lines only", "\n\n", nil},
		{"fewer lines than asked for", "a\nb\n", []string{"a", "b"}},
		{"a last line without an end", "a\nb\nc\nd", []string{"b", "c", "d"}},
		{"empty lines in between stay", "a\n\nc\n\n", []string{"a", "", "c"}},
		{"a log larger than what is read of it", many.String(), []string{"line 4997", "line 4998", "line 4999"}},
		{"a long line is cut between characters", "x" + long, []string{"x" + strings.Repeat("ü", 149) + "..."}},
	} {
		path := filepath.Join(t.TempDir(), "unit.log")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got := tailLines(path, 3)
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") || len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
		for _, l := range got {
			if !utf8.ValidString(l) {
				t.Errorf("%s: %q is no UTF-8", c.what, l)
			}
		}
	}
	if got := tailLines(filepath.Join(t.TempDir(), "none"), 3); got != nil {
		t.Errorf("a log that is not there has lines %q", got)
	}
}
