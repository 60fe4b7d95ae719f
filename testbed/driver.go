package testbed

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"

	"wsrig/testbed/conftext"
)

// RenderConfig is the frame of a driver's Render: it refuses an input without nodes or
// with a port missing, fills fields into a shipped variant, or has own rewrite a user's
// own file and shows what changed. name is the file's, for messages; ports tells which
// ports src needs.
func RenderConfig(src Source, in RenderInput, name string, ports func(Source) ([]string, error), fields any, own func() (string, error)) (Config, error) {
	if len(in.Nodes) == 0 {
		return Config{}, fmt.Errorf("%s: no nodes to put behind the proxy", name)
	}
	names, err := ports(src)
	if err != nil {
		return Config{}, err
	}
	for _, port := range names {
		if in.Ports[port].Listen == "" {
			return Config{}, fmt.Errorf("%s: port %q is not reserved", name, port)
		}
	}
	cfg := Config{Source: src, Input: in}
	if !src.Own {
		cfg.Text, err = conftext.Execute(src.Name, src.Text, fields)
		return cfg, err
	}
	if cfg.Text, err = own(); err != nil {
		return Config{}, err
	}
	cfg.Diff = conftext.Diff(name, src.Text, cfg.Text)
	return cfg, nil
}

// AskVersion runs binary -v, for drivers, and returns the first group of pattern in
// what it prints.
func AskVersion(ctx context.Context, binary string, pattern *regexp.Regexp) (string, error) {
	out, err := exec.CommandContext(ctx, binary, "-v").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -v: %w", binary, err)
	}
	m := pattern.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s -v printed no version: %.80q", binary, out)
	}
	return string(m[1]), nil
}
