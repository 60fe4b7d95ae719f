package scenario

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"wsrig/testbed"
)

// Catalog tells which proxy configurations there are.
type Catalog interface {
	// Drivers are the proxies' names, as haproxy and nginx.
	Drivers() []string
	// Variants are the shipped configurations of a driver.
	Variants(driver string) []string
}

// maxConfig is the largest configuration file of a user's own that is read, in bytes.
const maxConfig = 8 << 20

// ParseProxy reads a proxy as --proxy names it. Its error is the mistake in spec, or a
// file that cannot be read.
func ParseProxy(spec string, catalog Catalog) (ProxyRef, error) { return parseProxy(spec, catalog) }

// parseProxy reads a proxy as --proxy and proxies: name it. With a nil catalog
// only the form is judged: names and files are not looked up.
func parseProxy(spec string, catalog Catalog) (ProxyRef, error) {
	config, program, err := cutProgram(spec)
	if err != nil {
		return ProxyRef{}, err
	}
	ref, err := parseConfiguration(config, catalog)
	if ref.Driver == "" && err == nil && program != (testbed.Program{}) {
		return ref, fmt.Errorf("%q: direct runs no program; use direct", spec)
	}
	ref.Program = program
	return ref, err
}

// What follows a configuration, to name the program that runs it.
const (
	atImage  = "@image="
	atBinary = "@bin="
)

// cutProgram splits the program off a proxy's name: "haproxy:round-robin@image=haproxy:3.2".
func cutProgram(spec string) (config string, p testbed.Program, err error) {
	for mark, put := range map[string]*string{atImage: &p.Image, atBinary: &p.Binary} {
		before, name, found := strings.Cut(spec, mark)
		if !found {
			continue
		}
		if name == "" || strings.ContainsAny(name, "@ ,") && mark == atImage && !strings.Contains(name, "@sha256:") {
			return spec, p, fmt.Errorf("%q names no program; write %sNAME:TAG or %s/PATH behind the configuration", spec, atImage, atBinary)
		}
		*put = name
		return before, p, nil
	}
	return spec, p, nil
}

// parseConfiguration reads a proxy's configuration as parseProxy does, without a program.
func parseConfiguration(spec string, catalog Catalog) (ProxyRef, error) {
	driver, rest, qualified := strings.Cut(spec, ":")
	if strings.Contains(driver, "/") {
		qualified = false // a colon inside a path
	}
	switch {
	case spec == "direct":
		return ProxyRef{}, nil
	case spec == "" || strings.ContainsFunc(spec, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return ProxyRef{}, fmt.Errorf("%q is no proxy; use direct, DRIVER:VARIANT or a path", spec)
	case qualified && driver == "direct":
		return ProxyRef{}, fmt.Errorf("direct has no variants; use direct")
	case qualified && isPath(rest):
		return ownFile(driver, rest, catalog)
	case qualified:
		return shipped(spec, driver, rest, catalog)
	case isPath(spec):
		return ownFile("", spec, catalog)
	default:
		return ProxyRef{}, unknownProxy(spec, catalog)
	}
}

func isPath(s string) bool {
	return strings.Contains(s, "/") || strings.HasSuffix(s, ".cfg") || strings.HasSuffix(s, ".conf")
}

func shipped(spec, driver, variant string, catalog Catalog) (ProxyRef, error) {
	if variant == "" {
		return ProxyRef{}, fmt.Errorf("%q names no variant%s", spec, variantsOf(driver, catalog))
	}
	if catalog == nil {
		return ProxyRef{Driver: driver, Variant: variant}, nil
	}
	if !slices.Contains(catalog.Drivers(), driver) {
		return ProxyRef{}, unknownProxy(spec, catalog)
	}
	if variants := catalog.Variants(driver); !slices.Contains(variants, variant) {
		return ProxyRef{}, fmt.Errorf("%s has no variant %q%s", driver, variant, orOneOf(variant, variants, "use one of "+strings.Join(variants, ", ")))
	}
	return ProxyRef{Driver: driver, Variant: variant}, nil
}

// unknownProxy is the error about a spec that names no driver, with the nearest
// of all that could have been meant.
func unknownProxy(spec string, catalog Catalog) error {
	if catalog == nil {
		return fmt.Errorf("%q names no variant; use direct, DRIVER:VARIANT or a path", spec)
	}
	if slices.Contains(catalog.Drivers(), spec) {
		return fmt.Errorf("%q names no variant%s", spec, variantsOf(spec, catalog))
	}
	all := []string{"direct"}
	for _, d := range catalog.Drivers() {
		for _, v := range catalog.Variants(d) {
			all = append(all, d+":"+v)
		}
	}
	driver, _, qualified := strings.Cut(spec, ":")
	if s := orOneOf(spec, all, ""); s != "; " {
		return fmt.Errorf("unknown proxy %q%s", spec, s)
	}
	if qualified {
		return fmt.Errorf("unknown proxy %q: there is no driver %q%s", spec, driver, orOneOf(driver, catalog.Drivers(), "use one of "+strings.Join(catalog.Drivers(), ", ")))
	}
	return fmt.Errorf("unknown proxy %q%s", spec, orOneOf(spec, catalog.Drivers(), "use direct, DRIVER:VARIANT with one of "+strings.Join(catalog.Drivers(), ", ")+", or a path"))
}

func variantsOf(driver string, catalog Catalog) string {
	if catalog == nil || !slices.Contains(catalog.Drivers(), driver) {
		return "; use DRIVER:VARIANT"
	}
	var full []string
	for _, v := range catalog.Variants(driver) {
		full = append(full, driver+":"+v)
	}
	return "; use one of " + strings.Join(full, ", ")
}

// ownFile refers to a configuration file of the user's own. driver is "" where it
// must be told from the file.
func ownFile(driver, path string, catalog Catalog) (ProxyRef, error) {
	ref := ProxyRef{Driver: driver, File: path}
	if catalog == nil {
		if ref.Driver == "" {
			ref.Driver = "unknown" // any that is not direct
		}
		return ref, nil
	}
	if driver != "" && !slices.Contains(catalog.Drivers(), driver) {
		return ref, fmt.Errorf("there is no driver %q for %s%s", driver, path, orOneOf(driver, catalog.Drivers(), "use one of "+strings.Join(catalog.Drivers(), ", ")))
	}
	text, err := readConfig(path)
	if err != nil {
		return ref, err
	}
	if driver != "" {
		return ref, nil
	}
	if ref.Driver = guessDriver(path, text, catalog.Drivers()); ref.Driver == "" {
		return ref, fmt.Errorf("%s does not tell which proxy it is for; write DRIVER:%s with one of %s", path, path, strings.Join(catalog.Drivers(), ", "))
	}
	return ref, nil
}

// readConfig reads a user's file, which must be a regular one of reasonable size:
// opening a pipe could wait for ever.
func readConfig(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the proxy's configuration: %w; give the path of a file that exists", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the proxy's configuration %s is not a regular file; give the file itself", path)
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("the proxy's configuration %s has %d bytes, more than the limit of %d", path, info.Size(), maxConfig)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the proxy's configuration: %w; make it readable", err)
	}
	defer f.Close() // read only: nothing to lose
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("cannot read the proxy's configuration: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("the proxy's configuration %s is empty", path)
	}
	return text, nil
}

// signs are lines that only one proxy's configuration has, and its usual suffix.
var signs = []struct {
	driver, suffix string
	line           *regexp.Regexp
}{
	{"haproxy", ".cfg", regexp.MustCompile(`(?m)^[ \t]*(?:(?:global|defaults)[ \t]*(?:#.*)?$|(?:frontend|backend|listen|defaults)[ \t]+\S)`)},
	{"nginx", ".conf", regexp.MustCompile(`(?m)^[^#\n]*\b(?:events|http|server|upstream[ \t]+\S+|location[ \t]+[^{\n]+)\s*\{`)},
}

// guessDriver tells a configuration's proxy by its text, where that speaks for one
// alone, else by a driver's name in the file's, else by the suffix. "" if nothing tells.
func guessDriver(path string, text []byte, drivers []string) string {
	var byText []string
	for _, s := range signs {
		if slices.Contains(drivers, s.driver) && s.line.Match(text) {
			byText = append(byText, s.driver)
		}
	}
	if len(byText) == 1 {
		return byText[0]
	}
	for _, d := range drivers {
		if strings.Contains(strings.ToLower(filepath.Base(path)), d) {
			return d
		}
	}
	for _, s := range signs {
		if slices.Contains(drivers, s.driver) && filepath.Ext(path) == s.suffix {
			return s.driver
		}
	}
	return ""
}
