package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wsrig/internal/result"
)

// field is a line of the environment.
type field struct{ Name, Value string }

// environmentNames are the words for the keys of the environment, in the order in
// which they are shown. Keys that are not here follow under their own names, so that
// nothing of the environment is left out.
var environmentNames = []struct{ key, name string }{
	{"run_id", "run"}, {"started", "started"}, {"ended", "ended"}, {"wsrig", "wsrig"}, {"go", "Go"}, {"versions", ""}, {"runtime", "runtime"}, {"bus", "bus"},
	{"os", "system"}, {"kernel", "kernel"}, {"cpu", "CPU"}, {"cores", "cores"}, {"memory_bytes", "memory"}, {"limits", "limit"},
}

// environmentFields lists the whole environment but for the command. Nested keys are
// joined, and figures are written by the unit that ends their key.
func environmentFields(env result.Environment) ([]field, error) {
	data, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	delete(all, "command")
	var fields []field
	for _, n := range environmentNames {
		fields = appendFields(fields, n.name, n.key, all[n.key])
		delete(all, n.key)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fields = appendFields(fields, spaced(key), key, all[key])
	}
	return fields, nil
}

// appendFields appends a value of JSON under a name; key is the last of its keys.
func appendFields(fields []field, name, key string, value any) []field {
	switch v := value.(type) {
	case nil:
		return fields
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			fields = appendFields(fields, strings.TrimSpace(name+" "+spaced(k)), k, v[k])
		}
		return fields
	case []any:
		for _, each := range v {
			fields = appendFields(fields, name, key, each)
		}
		return fields
	case float64:
		return append(fields, field{shorten(name, maxName), quantity(key, v)})
	}
	text := fmt.Sprint(value)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		text = moment(at)
	}
	if text == "" {
		return fields
	}
	return append(fields, field{shorten(name, maxName), shorten(text, maxText)})
}

// unitSuffixes are how keys of run.json say their unit, with that of result.Format.
var unitSuffixes = []struct{ suffix, unit string }{{"_per_s", "/s"}, {"_s", "s"}, {"_bytes", "bytes"}}

// spaced is a key as words, without its unit.
func spaced(key string) string {
	for _, u := range unitSuffixes {
		key = strings.TrimSuffix(key, u.suffix)
	}
	return strings.ReplaceAll(key, "_", " ")
}

func quantity(key string, v float64) string {
	for _, u := range unitSuffixes {
		if strings.HasSuffix(key, u.suffix) {
			return result.Format(v, u.unit)
		}
	}
	return result.Format(v, "count")
}

// moment is a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// commandLine is a command as it is typed into a shell.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		a = printable(a)
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return !strings.ContainsRune(plainInShell, r) }) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quoted[i] = a
	}
	return strings.Join(quoted, " ")
}

// plainInShell are the characters that a POSIX shell leaves as they are.
const plainInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
