package conftext

import (
	"strings"
	"testing"
)

func TestOriginalLineFollowsWhatWasChanged(t *testing.T) {
	original := strings.Repeat("x\n", 10) + "bind :80\ny\nserver a\nserver b\nz\n" + strings.Repeat("w\n", 10) + "last\n"
	rendered := "added 1\nadded 2\n" + strings.Repeat("x\n", 10) + "log global\nbind :81\ny\nserver c\nserver d\nz\n" + strings.Repeat("w\n", 10) + "last\n"
	originals := strings.Split(original, "\n")
	want := map[string]string{"added 1": "x", "added 2": "x", "log global": "bind :80", "bind :81": "bind :80", "server c": "server a", "server d": "server b"}
	for i, text := range strings.Split(rendered, "\n") {
		at := OriginalLine(original, rendered, i+1)
		w, changed := want[text]
		if !changed {
			w = text
		}
		if at < 1 || at > len(originals) || originals[at-1] != w {
			t.Errorf("line %d (%q) is said to be line %d, want one that is %q", i+1, text, at, w)
		}
	}
	if got := OriginalLine(original, original, 7); got != 7 {
		t.Errorf("line 7 of an unchanged file is line %d", got)
	}
	if got := OriginalLine("", "", 99); got != 99 {
		t.Errorf("a line that is not there is line %d", got)
	}
}
