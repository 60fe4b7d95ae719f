// Package sbom lists what a Go binary is made of, as the binary itself tells: the Go
// version and the modules that the linker put in (debug/buildinfo), in the CycloneDX
// JSON format, version 1.6 (https://cyclonedx.org/docs/1.6/json/).
package sbom

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// document is the part of a CycloneDX document that is used here. It has no serial
// number and no time, so that the same binary always has the same list.
type document struct {
	Schema       string       `json:"$schema"`
	BOMFormat    string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"` // of the document
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// dependency is one edge list. A binary tells which modules are in it and not which of
// them needs which, so all hang on the program.
type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// settings are those of the build that say how to make the binary again.
var settings = []string{"GOOS", "GOARCH", "CGO_ENABLED", "-trimpath", "-ldflags", "vcs.revision", "vcs.modified"}

// Of returns the list for the Go binary at path. version is the program's, where its
// build does not know it; "" takes the build's. An error says that path cannot be read
// or is no Go binary.
func Of(path, version string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("sbom: %s: %w; only binaries that go build has made tell what is in them", path, err)
	}
	sum := sha256.Sum256(data)
	program := module(cmp.Or(info.Main.Path, info.Path), cmp.Or(version, info.Main.Version, "devel"))
	program.Type = "application"
	program.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	program.Properties = append(program.Properties, property{"wsrig:file", filepath.Base(path)})
	for _, s := range info.Settings {
		if slices.Contains(settings, s.Key) {
			program.Properties = append(program.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	return encode(program, components(info))
}

// components are the standard library and every module, sorted by name.
func components(info *debug.BuildInfo) []component {
	all := []component{module("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, d := range info.Deps {
		m := d
		if d.Replace != nil {
			m = d.Replace // this is what was compiled
		}
		c := module(m.Path, m.Version)
		if m.Sum != "" {
			c.Properties = append(c.Properties, property{"go:sum", m.Sum})
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b component) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// module is a Go module as a component, named by its package URL
// (https://github.com/package-url/purl-spec, type golang).
func module(path, version string) component {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	purl := "pkg:golang/" + strings.Join(segments, "/") + "@" + url.PathEscape(version)
	return component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
}

func encode(program component, parts []component) ([]byte, error) {
	all := make([]string, len(parts))
	for i, c := range parts {
		all[i] = c.Ref
	}
	text, err := json.MarshalIndent(document{
		Schema:    "http://cyclonedx.org/schema/bom-1.6.schema.json",
		BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata:   metadata{program},
		Components: parts, Dependencies: []dependency{{program.Ref, all}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	return append(text, '\n'), nil
}
