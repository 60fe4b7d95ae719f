// Package scenarios holds the scenarios that ship with wsrig, inside the binary.
// README.md beside them is their generated reference.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"wsrig/internal/result"
)

//go:embed *.yaml
var files embed.FS

// Extension ends the file name of a scenario.
const Extension = ".yaml"

// Names lists the shipped scenarios, sorted.
func Names() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic("scenarios: the embedded files cannot be listed: " + err.Error()) // a broken build
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), Extension))
	}
	return names
}

// Read returns the text of a shipped scenario. The error about an unknown name
// suggests the nearest ones.
func Read(name string) ([]byte, error) {
	text, err := files.ReadFile(name + Extension)
	if err == nil {
		return text, nil
	}
	hint := result.DidYouMean(name, Names())
	if hint == "" {
		hint = "; use one of " + strings.Join(Names(), ", ")
	}
	return nil, fmt.Errorf("unknown scenario %q%s", name, hint)
}
