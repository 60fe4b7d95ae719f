package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wsrig/testbed/conftext"
)

// checkTimeout bounds a proxy's check of its configuration.
const checkTimeout = 10 * time.Second

// RunCheck has a proxy check cfg, for drivers: it writes the configuration to file
// in dir and runs the proxy with args there. When the proxy refuses, the error holds what it
// printed, without the lines that skip knows, and with the line numbers of the
// user's own file where place finds them: its first group is what stands before the
// number, its last one the number.
func RunCheck(ctx context.Context, run Run, cfg Config, dir, file string, place *regexp.Regexp, skip func(line string) bool, args ...string) error {
	name := filepath.Base(cfg.Source.Name)
	if !cfg.Source.Own {
		name = cfg.Source.Name + filepath.Ext(cfg.Source.FileName)
	}
	command := strings.TrimSuffix(file, filepath.Ext(file)) + " " + args[0]
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s: %s: %w", name, command, fmt.Errorf(format, a...))
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(cfg.Text), 0o644); err != nil {
		return fail("%w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out, err := run(ctx, dir, args...)
	var status *StatusError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fail("no answer within %v: %w", checkTimeout, ctx.Err())
	case errors.As(err, &status):
		return fail("%s", complaint(out, name, cfg, place, skip))
	}
	return fail("%w", err)
}

// complaint is what a proxy printed, for the user's own file.
func complaint(out, name string, cfg Config, place *regexp.Regexp, skip func(string) bool) string {
	var kept []string
	for line := range strings.Lines(strings.TrimSpace(out)) {
		if line = strings.TrimRight(line, "\n"); !skip(line) {
			kept = append(kept, line)
		}
	}
	text := strings.Join(kept, "\n")
	if !cfg.Source.Own {
		return text
	}
	return place.ReplaceAllStringFunc(text, func(found string) string {
		groups := place.FindStringSubmatch(found)
		n, err := strconv.Atoi(groups[len(groups)-1])
		if err != nil {
			return found
		}
		return groups[1] + name + ":" + strconv.Itoa(conftext.OriginalLine(cfg.Source.Text, cfg.Text, n))
	})
}
