package report

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"wsrig/internal/result"
)

// HTMLFile is the name of the page in a run's directory.
const HTMLFile = "report.html"

//go:embed page
var pageFiles embed.FS

// pages are the templates of all pages. They share the style sheet and the parts.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style":  pageStyleSheet,
	"status": statusWords,
}).ParseFS(pageFiles, "page/*.html"))

// pageStyleSheet is the style sheet of every page.
func pageStyleSheet() (template.CSS, error) {
	css, err := pageFiles.ReadFile("page/page.css")
	return template.CSS(css), err
}

// statusWords are how a page shows a verdict: its word behind a sign, so that nobody
// has to tell colours apart.
func statusWords(status string) string {
	signs := map[string]string{result.Pass: "✓", result.Fail: "✗", result.Inconclusive: "?", result.Error: "!"}
	return signs[status] + " " + strings.ToUpper(status)
}

// runPage is what the page of a run is filled with.
type runPage struct {
	Scenario string
	Verdict  result.Verdict
	Setting  []string
	Started  string

	Compared bool        // the run has two sides
	Differ   []tableView // and what is not the same on both

	Tables []tableView
	Plots  []*figureView

	Timelines []*figureView
	Events    *tableView
	LeftOut   []string

	Closes *tableView

	Open, Held *tableView // checks that failed or could not be judged; those that hold
	HeldCount  string

	Differences []diffView
	Configs     []*configView
	MoreConfigs int

	Environment []field
	Command     string
	Plan        string
}

// HTML writes run as one page that needs nothing else, no script either: the verdict,
// everything that Text writes, the plots, how connections ended, the checks, the
// configurations, the environment and the command. It is a function of the run. An
// error is of w, or names the plot that cannot be drawn from the run.
func HTML(w io.Writer, run *result.Run) error {
	p := &runPage{
		Scenario: shorten(run.Scenario, maxName),
		Verdict:  result.Verdict{Status: run.Verdict.Status, Reasons: clipAll(run.Verdict.Reasons, maxText)},
		Setting:  clipAll(setting(run), maxText),
		Command:  shorten(commandLine(run.Environment.Command), maxFileText),
		Plan:     planText(run.Plan),
	}
	if at := run.Environment.Started; !at.IsZero() {
		p.Started = moment(at)
	}
	for i, t := range Tables(run) {
		p.Tables = append(p.Tables, viewTable(t, i+1))
	}
	p.fillDetails(run)
	drawn, err := viewPlots(run)
	if err != nil {
		return err
	}
	p.Plots, p.Timelines, p.LeftOut = drawn.Over, drawn.Time, drawn.LeftOut
	p.Configs, p.MoreConfigs = viewConfigs(run)
	p.Differences = compareConfigs(p.Configs)
	if p.Environment, err = environmentFields(run.Environment); err != nil {
		return err
	}
	return execute(w, "run.html", p)
}

// fillDetails fills in the tables that only a page has room for.
func (p *runPage) fillDetails(run *result.Run) {
	number := len(p.Tables)
	view := func(t Table, ok bool) *tableView {
		if !ok {
			return nil
		}
		number++
		v := viewTable(t, number)
		return &v
	}
	p.Events = view(eventsTable(run))
	p.Closes = view(closesTable.of(run))
	p.Open = view(checksTable(run, "Checks that failed or could not be judged", func(c result.Check) bool { return !holds(c) }))
	held, ok := checksTable(run, "Checks that hold", holds)
	p.Held, p.HeldCount = view(held, ok), plural(len(held.Rows), "check holds", "checks hold")
	c, err := CompareSides(run, CompareOptions{})
	if p.Compared = err == nil; !p.Compared {
		return
	}
	for _, t := range c.Tables(true) {
		t = differing(t)
		if v := view(t, len(t.Rows) > 0); v != nil {
			p.Differ = append(p.Differ, *v)
		}
	}
}

// planText is the plan as people read it; a plan that is too long for a page is in
// plan.json.
func planText(plan json.RawMessage) string {
	var b bytes.Buffer
	if len(plan) == 0 || json.Indent(&b, plan, "", "  ") != nil {
		return ""
	}
	return cutText(b.String() + "\n")
}

// execute fills a template in and writes the page, or nothing at all.
func execute(w io.Writer, name string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
