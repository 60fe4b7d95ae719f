package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsrig/internal/result"
)

// The elements and attributes are those that the schema of Jenkins' xUnit plugin
// allows (junit-10.xsd), which the formats of Ant, Surefire and GitLab share.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Time     string       `xml:"time,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string           `xml:"name,attr"`
		Tests      int              `xml:"tests,attr"`
		Failures   int              `xml:"failures,attr"`
		Errors     int              `xml:"errors,attr"`
		Skipped    int              `xml:"skipped,attr"`
		Time       string           `xml:"time,attr"`
		Timestamp  string           `xml:"timestamp,attr,omitempty"`
		Properties *junitProperties `xml:"properties"`
		Cases      []junitCase      `xml:"testcase"`

		seconds float64
	}
	junitProperties struct {
		List []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string      `xml:"name,attr"`
		Classname string      `xml:"classname,attr"`
		Time      string      `xml:"time,attr"`
		Skipped   *junitCause `xml:"skipped"`
		Error     *junitCause `xml:"error"`
		Failure   *junitCause `xml:"failure"`
	}
	junitCause struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a run as JUnit XML, a suite for each cell. What makes a run
// inconclusive is an error and not skipped: CI systems show a skipped case as nothing
// wrong, and inconclusive is never a pass. Skipped is what the verdict passes over, a
// check whose condition holds in no cell. So there is a failure or an error exactly
// when the verdict is no pass.
func writeJUnit(w io.Writer, run *result.Run) error {
	out := junitSuites{Name: run.Scenario}
	some := slices.ContainsFunc(run.Checks, func(c result.Check) bool { return c.OK != nil })
	for i := range run.Cells {
		c := &run.Cells[i]
		s := cellSuite(run, c)
		for _, check := range run.Checks {
			if check.Cell == c.ID {
				s.add(checkCase(run, check, some))
			}
		}
		out.add(s)
	}
	whole := junitSuite{Name: run.Scenario}
	for _, check := range run.Checks {
		if check.Cell == "" {
			whole.add(checkCase(run, check, some))
		}
	}
	red := out.Failures+out.Errors+whole.Failures+whole.Errors > 0
	if passed := run.Verdict.Status == result.Pass; !passed && !red || out.Tests+whole.Tests == 0 {
		whole.add(verdictCase(run))
	}
	if whole.Tests > 0 {
		out.add(whole)
	}
	total := 0.0
	for i := range out.Suites {
		s := &out.Suites[i]
		s.Time = junitTime(s.seconds)
		total += s.seconds
	}
	out.Time = junitTime(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuites) add(suite junitSuite) {
	s.Tests += suite.Tests
	s.Failures += suite.Failures
	s.Errors += suite.Errors
	s.Suites = append(s.Suites, suite)
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// cellSuite is the suite of a cell with a case for each trial, which says whether it
// proves anything and how long it took.
func cellSuite(run *result.Run, c *result.Cell) junitSuite {
	s := junitSuite{Name: c.ID, Properties: &junitProperties{List: []junitProperty{{"proxy", c.Proxy}}}}
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		s.Properties.List = append(s.Properties.List, junitProperty{name, c.Params[name]})
	}
	for i, t := range c.Trials {
		if i == 0 && !t.Started.IsZero() {
			s.Timestamp = t.Started.UTC().Format(time.DateOnly + "T" + time.TimeOnly) // ISO 8601, as Ant writes it
		}
		tc := junitCase{Name: fmt.Sprintf("trial %d is conclusive", t.Index), Classname: className(run, c.ID), Time: junitTime(t.Duration)}
		if len(t.Inconclusive) > 0 {
			text := strings.Join(t.Inconclusive, "; ")
			tc.Error = &junitCause{result.Inconclusive, text, text}
		}
		s.seconds += max(0, t.Duration)
		s.add(tc)
	}
	if len(c.Trials) == 0 {
		const text = "no trial was made"
		s.add(junitCase{Name: "trials were made", Classname: className(run, c.ID), Time: junitTime(0), Error: &junitCause{result.Inconclusive, text, text}})
	}
	return s
}

// checkCase is the case of a check. some tells whether any check of the run was
// judged.
func checkCase(run *result.Run, c result.Check, some bool) junitCase {
	out := junitCase{Name: c.Expr, Classname: className(run, c.Cell), Time: junitTime(0)}
	message := "got " + c.Got
	if c.Want != "" {
		message += ", want " + c.Want
	}
	switch {
	case c.OK == nil && c.Got == appliesNowhere && some:
		out.Skipped = &junitCause{Type: result.Inconclusive, Message: c.Got}
	case c.OK == nil:
		out.Error = &junitCause{result.Inconclusive, message, reason(c)}
	case !*c.OK:
		out.Failure = &junitCause{"check", message, reason(c)}
	}
	return out
}

// verdictCase stands for a verdict that no check and no trial explains, as that of a
// testbed that did not come up, and for a run that has nothing else.
func verdictCase(run *result.Run) junitCase {
	c := junitCase{Name: "verdict", Classname: className(run, ""), Time: junitTime(0)}
	text := strings.Join(run.Verdict.Reasons, "\n")
	cause := &junitCause{run.Verdict.Status, "the verdict is " + run.Verdict.Status, text}
	switch run.Verdict.Status {
	case result.Pass:
	case result.Fail:
		c.Failure = cause
	default:
		c.Error = cause
	}
	return c
}

// className groups cases by scenario and cell. CI systems take everything up to the
// last dot for a package, so other dots are replaced.
func className(run *result.Run, cell string) string {
	name := strings.ReplaceAll(run.Scenario, ".", "_")
	if cell != "" {
		name += "." + strings.ReplaceAll(cell, ".", "_")
	}
	return name
}

// junitTime is in seconds, to a millisecond, as a decimal number without exponent.
func junitTime(seconds float64) string {
	return strconv.FormatFloat(max(0, seconds), 'f', 3, 64)
}
