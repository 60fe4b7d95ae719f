package testbed_test

import (
	"slices"
	"strings"
	"testing"

	"wsrig/testbed"
)

func TestParseNodeCommand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"wsrig":                            nil,
		" node-chat ":                      {"node-chat"},
		"node server.js":                   {"node", "server.js"},
		`node 'my server.js' --x="a b" \'`: {"node", "my server.js", "--x=a b", "'"},
		`node -e '$x; a | b'`:              {"node", "-e", "$x; a | b"},
		`env DEBUG=1 ./serve ""`:           {"env", "DEBUG=1", "./serve", ""},
		"node\tserver.js *.js":             {"node", "server.js", "*.js"},
	} {
		if got, err := testbed.ParseNodeCommand(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gives %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestParseNodeCommandSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "the command is empty; use wsrig, node-chat, or",
		"''":                     "the command is empty",
		"node 'server.js":        "without closing quote",
		"node server.js | tee x": "there is no shell",
		"node server.js; ls":     "there is no shell",
		"node server.js > log":   "there is no shell",
		"node $FILE":             "$FILE is not filled in",
		`node "${FILE}.js"`:      "${FILE} is not filled in",
		"node $(ls)":             "$(ls) is not filled in",
		"node `ls`":              "`ls` is not filled in",
		"DEBUG=1 node server.js": "write env DEBUG=1 node server.js",
		"wsrig chatnode":         "put options of its chat node into node_args",
		"node-chat --verbose":    "node-chat takes no arguments",
	} {
		got, err := testbed.ParseNodeCommand(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %q, %v; want an error with %q", text, got, err, want)
		}
	}
}
