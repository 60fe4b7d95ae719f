package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"

	"wsrig/internal/result"
)

// junitAllowed is what the schema junit-10.xsd of Jenkins' xUnit plugin allows in each
// element: attributes, those that must be there, and elements.
var junitAllowed = map[string]struct{ attributes, required, children []string }{
	"testsuites": {[]string{"name", "time", "tests", "failures", "errors"}, nil, []string{"testsuite"}},
	"testsuite":  {[]string{"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, []string{"name", "tests", "failures", "errors"}, []string{"properties", "testcase"}},
	"properties": {nil, nil, []string{"property"}},
	"property":   {[]string{"name", "value"}, []string{"name", "value"}, nil},
	"testcase":   {[]string{"name", "time", "classname"}, []string{"name"}, []string{"skipped", "error", "failure"}},
	"skipped":    {[]string{"type", "message"}, nil, nil},
	"error":      {[]string{"type", "message"}, nil, nil},
	"failure":    {[]string{"type", "message"}, nil, nil},
}

var surefireTime = regexp.MustCompile(`^[0-9]+(\.[0-9]*)?$`)

// keepsToJUnitSchema walks an XML file by the table above.
func keepsToJUnitSchema(t *testing.T, data []byte) {
	t.Helper()
	parents := []string{""}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			name, parent := e.Name.Local, parents[len(parents)-1]
			rule, ok := junitAllowed[name]
			if !ok || parent != "" && !slices.Contains(junitAllowed[parent].children, name) {
				t.Fatalf("%s within %q", name, parent)
			}
			var have []string
			for _, a := range e.Attr {
				have = append(have, a.Name.Local)
				if !slices.Contains(rule.attributes, a.Name.Local) {
					t.Errorf("%s has the attribute %s", name, a.Name.Local)
				}
				if a.Name.Local == "time" && !surefireTime.MatchString(a.Value) {
					t.Errorf("%s has the time %q", name, a.Value)
				}
			}
			for _, a := range rule.required {
				if !slices.Contains(have, a) {
					t.Errorf("%s lacks the attribute %s", name, a)
				}
			}
			parents = append(parents, name)
		case xml.EndElement:
			parents = parents[:len(parents)-1]
		}
	}
}

// inXML replaces what XML 1.0 cannot hold.
func inXML(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 {
			return r
		}
		return '\uFFFD'
	}, s)
}

func readJUnit(t *testing.T, run *result.Run, files map[string][]byte) {
	data := files["junit.xml"]
	keepsToJUnitSchema(t, data)
	suites, err := junit.Ingest(data)
	must(t, err)
	if len(suites) < len(run.Cells) {
		t.Fatalf("%d suites for %d cells", len(suites), len(run.Cells))
	}
	tests, red := 0, 0
	for i, s := range suites {
		tests += s.Totals.Tests
		red += s.Totals.Failed + s.Totals.Error
		if i >= len(run.Cells) {
			continue
		}
		c := run.Cells[i]
		if s.Name != inXML(c.ID) || s.Properties["proxy"] != inXML(c.Proxy) {
			t.Errorf("suite %q of proxy %q, want %q of %q", s.Name, s.Properties["proxy"], c.ID, c.Proxy)
		}
		checks := 0
		for _, check := range run.Checks {
			if check.Cell == c.ID {
				checks++
			}
		}
		if want := max(1, len(c.Trials)) + checks; len(s.Tests) != want {
			t.Errorf("suite %q has %d cases, want %d", s.Name, len(s.Tests), want)
		}
	}
	if tests == 0 {
		t.Error("there is no test case, which CI systems take for a mistake")
	}
	if passed := Verdict(run).Status == result.Pass; run.Verdict.Status == Verdict(run).Status && passed != (red == 0) {
		t.Errorf("the verdict is %s and %d cases are red", run.Verdict.Status, red)
	}
	var totals struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	must(t, xml.Unmarshal(data, &totals))
	if totals.Tests != tests || totals.Failures+totals.Errors != red {
		t.Errorf("the totals are %+v; there are %d cases, %d of them red", totals, tests, red)
	}
}

func TestJUnitTellsFailedFromInconclusive(t *testing.T) {
	yes, no := true, false
	trials := []result.Trial{{Index: 1, Duration: 1.5}, {Index: 2, Inconclusive: []string{"saturated", "slow"}}}
	run := newFixture("a.b", []result.Cell{{ID: "x 1.5", Proxy: "direct", Trials: trials}}, nil)
	run.Checks = []result.Check{
		{Cell: "x 1.5", Expr: "holds", OK: &yes, Got: "0", Want: "0"},
		{Cell: "x 1.5", Expr: "fails", OK: &no, Got: "<3>", Want: "0"},
		{Cell: "x 1.5", Expr: "open", Got: "no data"},
		{Expr: "nowhere", Got: appliesNowhere},
	}
	run.Verdict = Verdict(run)
	suites, err := junit.Ingest(exported(t, "junit", run)["junit.xml"])
	must(t, err)
	var got []string
	for _, s := range suites {
		for _, c := range s.Tests {
			got = append(got, strings.Join([]string{s.Name, c.Classname, c.Name, string(c.Status), c.Message}, " / "))
		}
	}
	want := []string{
		"x 1.5 / a_b.x 1_5 / trial 1 is conclusive / passed / ",
		"x 1.5 / a_b.x 1_5 / trial 2 is conclusive / error / saturated; slow",
		"x 1.5 / a_b.x 1_5 / holds / passed / ",
		"x 1.5 / a_b.x 1_5 / fails / failed / got <3>, want 0",
		"x 1.5 / a_b.x 1_5 / open / error / got no data",
		"a.b / a_b / nowhere / skipped / " + appliesNowhere,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestJUnitOfATestbedThatDidNotComeUpIsRed(t *testing.T) {
	run := newFixture("down", nil, nil)
	run.Verdict = result.Verdict{Status: result.Error, Reasons: []string{"redis-server ended"}}
	suites, err := junit.Ingest(exported(t, "junit", run)["junit.xml"])
	must(t, err)
	if len(suites) != 1 || len(suites[0].Tests) != 1 || suites[0].Tests[0].Status != junit.StatusError || !strings.Contains(suites[0].Tests[0].Error.Error(), "redis-server ended") {
		t.Errorf("suites are %+v", suites)
	}
}
