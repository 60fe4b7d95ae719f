package scenario

import (
	"fmt"
	"regexp"
	"strings"
)

var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// checkHead judges the keys that stand for themselves: all but proxies, vary,
// steps and checks, which the cells judge.
func (f *File) checkHead(d *decoder) {
	fail := func(path, format string, args ...any) {
		if d.broken[path] {
			return
		}
		p := f.where(path)
		d.problems = append(d.problems, Problem{f.path, p.line, p.column, fmt.Sprintf(format, args...)})
	}
	_, named := f.at["name"]
	if named && !nameShape.MatchString(f.Name) {
		fail("name", "%q is no name of a scenario; use a-z, 0-9 and -, up to 64 of them", f.Name)
	}
	if _, told := f.at["summary"]; told && strings.TrimSpace(f.Summary) == "" {
		fail("summary", "the summary is empty; say in a sentence what the scenario answers")
	}
	if f.Testbed.Nodes > maxNodes {
		fail("testbed.nodes", "%d nodes are above the limit of %d; use %d or fewer", f.Testbed.Nodes, maxNodes, maxNodes)
	}
	if p := f.Testbed.ProxyPort; p < 0 || p > 65535 {
		fail("testbed.proxy_port", "%d is no port; use 1 to 65535, or 0 for a free one", p)
	}
	if f.Trials > maxTrials {
		fail("trials", "%d trials are above the limit of %d; use %d or fewer", f.Trials, maxTrials, maxTrials)
	}
	if f.Parallel > maxAtOnce {
		fail("parallel", "%d cells at the same time are above the limit of %d; use %d or fewer", f.Parallel, maxAtOnce, maxAtOnce)
	}
	if len(f.Checks) > maxItems {
		fail("checks", "%d checks are above the limit of %d; use several scenarios", len(f.Checks), maxItems)
		f.Checks = f.Checks[:maxItems]
	}
	if f.Testbed.ProxyPort > 0 && f.Parallel > 1 {
		fail("testbed.proxy_port", "one port cannot serve %d cells at the same time; use parallel: 1, or proxy_port: 0", f.Parallel)
	}
}

// where is the position of a path, or of the nearest thing around it.
func (f *File) where(path string) position {
	for path != "" {
		if p, ok := f.at[path]; ok {
			return p
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return position{1, 1}
}
