package main

import (
	"runtime/debug"
	"strings"
)

// stamped is the version that make release and the Dockerfile put in with the linker's
// -X; "" leaves it to what Go knows of the source.
var stamped string

// version is the stamped version, or the module's, or the revision it was built from.
func version() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(v, s.Value[:12]):
			v += "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true" && !strings.Contains(v, "+dirty"):
			v += "+dirty"
		}
	}
	return v
}
