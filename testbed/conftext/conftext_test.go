package conftext

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestApplyChangesOnlyTheBytesOfItsEdits(t *testing.T) {
	for _, row := range []struct {
		says  string
		edits []Edit
		want  string
	}{
		{"no edit leaves the text alone", nil, "bind :80 ssl\nmode http\n"},
		{"edits are made in text order, however they are given", []Edit{{18, 22, "tcp"}, {5, 8, ":1"}}, "bind :1 ssl\nmode tcp\n"},
		{"removing a line swallows the edits inside it", []Edit{{5, 8, ":1"}, {0, 13, ""}}, "mode http\n"},
		{"an insertion goes before a replacement at its place", []Edit{{0, 4, "BIND"}, {0, 0, "x "}}, "x BIND :80 ssl\nmode http\n"},
		{"insertions at one place keep their order", []Edit{{13, 13, "a\n"}, {13, 13, "b\n"}}, "bind :80 ssl\na\nb\nmode http\n"},
	} {
		if got := Apply("bind :80 ssl\nmode http\n", row.edits); got != row.want {
			t.Errorf("%s: got %q, want %q", row.says, got, row.want)
		}
	}
}

func TestOriginsPointAtTheTemplateLineThroughARange(t *testing.T) {
	const text = "one\n{{range .Nodes}}\nserver {{.}}\n{{- end}}\nlast\n"
	fields := struct{ Nodes []string }{[]string{"a", "b", "c"}}
	rendered, err := Execute("x", text, fields)
	if err != nil {
		t.Fatal(err)
	}
	origins, err := Origins("x", text, fields)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(rendered, "\n")
	if len(lines) != len(origins) {
		t.Fatalf("%d lines rendered, %d origins", len(lines), len(origins))
	}
	for word, want := range map[string]int{"one": 1, "server a": 3, "server c": 3, "last": 5} {
		at := slices.Index(lines, word)
		if at < 0 || origins[at] != want {
			t.Errorf("%q: origin %v, want %d", word, origins, want)
		}
	}
}

func TestExecuteRefusesAnUnknownField(t *testing.T) {
	if _, err := Execute("v", "{{.Nope}}", map[string]string{}); err == nil || !strings.Contains(err.Error(), "Nope") {
		t.Errorf("got %v, want an error that names the field", err)
	}
}

func TestVariantsTakeTheirSummaryFromTheFirstComment(t *testing.T) {
	got, err := Variants(fstest.MapFS{"good.cfg": {Data: []byte("# All is well.\nglobal\n")}, "README.md": {}}, ".cfg")
	if err != nil || len(got) != 1 || got["good"] != "All is well." {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDiffNamesTheFile(t *testing.T) {
	if d := Diff("haproxy.cfg", "a\n", "b\n"); !strings.Contains(d, "haproxy.cfg") || !strings.Contains(d, "-a\n+b\n") {
		t.Errorf("diff: %s", d)
	}
}
