package scenarios

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestReadFindsEveryName(t *testing.T) {
	t.Parallel()
	if !slices.Contains(Names(), "idle-timeout") || !slices.Contains(Names(), "smoke") {
		t.Fatalf("Names() = %v lacks a shipped scenario", Names())
	}
	for _, name := range Names() {
		text, err := Read(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Contains(text, []byte("\nname: "+name+"\n")) && !bytes.HasPrefix(text, []byte("name: "+name+"\n")) {
			t.Errorf("%s%s has another name inside", name, Extension)
		}
	}
}

func TestReadSuggestsTheNearestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"idle-timout": `unknown scenario "idle-timout"; did you mean "idle-timeout"?`,
		"idle":        `unknown scenario "idle"; did you mean "idle-timeout"?`,
		"../go":       `unknown scenario "../go"; use one of ` + strings.Join(Names(), ", "),
		"":            `unknown scenario ""; use one of ` + strings.Join(Names(), ", "),
	} {
		if _, err := Read(name); err == nil || err.Error() != want {
			t.Errorf("Read(%q): %v, want %s", name, err, want)
		}
	}
}
