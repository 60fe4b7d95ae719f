// Package wsrig_test keeps the walls between the folders where they are.
package wsrig_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of the module's own packages each package may use, and why
// not more. Imports go one way: cmd -> report, scenario, drivers -> loadgen, testbed
// -> result -> nothing.
var mayImport = []struct {
	pkg   string
	may   []string
	since string
}{
	{"wsrig/internal/wire", nil, "both sides of the measurement share it; it must not know either"},
	{"wsrig/internal/result", nil, "results are read long after, and without, what produced them"},
	{"wsrig/internal/budget", []string{"wsrig/internal/result"}, "it reckons with limits and numbers alone, so that a plan can be judged before anything exists"},
	{"wsrig/chatnode", []string{"wsrig/internal/wire"}, "the system under test must not know that it is tested"},
	{"wsrig/loadgen", []string{"wsrig/internal/wire", "wsrig/internal/result"}, "the measuring side works against any server, on any testbed"},
	{"wsrig/peers/node-chat", nil, "it holds a program in another language"},
	{"wsrig/testbed", []string{"wsrig/internal/result", "wsrig/testbed/conftext", "wsrig/peers/node-chat"}, "it runs units without knowing which proxies or scenarios there are"},
	{"wsrig/testbed/conftext", nil, "it is about text"},
	{"wsrig/haproxy", []string{"wsrig/testbed", "wsrig/testbed/conftext", "wsrig/internal/result"}, "a driver knows one proxy and nothing of scenarios"},
	{"wsrig/nginx", []string{"wsrig/testbed", "wsrig/testbed/conftext", "wsrig/internal/result"}, "a driver knows one proxy and nothing of scenarios"},
	{"wsrig/internal/scenario", []string{"wsrig/loadgen", "wsrig/testbed", "wsrig/internal/result", "wsrig/internal/wire"}, "drivers come to it as values, so that a new one needs no change here"},
	{"wsrig/internal/report", []string{"wsrig/internal/result"}, "every report is a function of run.json alone"},
	{"wsrig/peers/echo", []string{"wsrig/internal/wire"}, "every generator is judged by it, so it must know none"},
	{"wsrig/peers/bench", []string{"wsrig/internal/result", "wsrig/internal/wire"}, "it judges wsrig from outside, by what its programs do and print"},
	{"wsrig/scenarios", []string{"wsrig/internal/result"}, "it holds texts"},
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		pkg, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		i := slices.IndexFunc(mayImport, func(m struct {
			pkg   string
			may   []string
			since string
		}) bool {
			return m.pkg == pkg
		})
		if i < 0 {
			if strings.HasPrefix(pkg, "wsrig/cmd/") || pkg == "wsrig" || strings.HasSuffix(pkg, "test") {
				continue // the top may use everything, and so may test support
			}
			t.Errorf("%s is in no row of mayImport: say what it may use, and why not more", pkg)
			continue
		}
		known[pkg] = true
		for imp := range strings.FieldsSeq(list) {
			if strings.HasPrefix(imp, "wsrig/") && !slices.Contains(mayImport[i].may, imp) {
				t.Errorf("%s imports %s, which it may not: %s", pkg, imp, mayImport[i].since)
			}
		}
	}
	for _, m := range mayImport {
		if !known[m.pkg] {
			t.Errorf("mayImport has a row for %s, which does not exist", m.pkg)
		}
	}
}
