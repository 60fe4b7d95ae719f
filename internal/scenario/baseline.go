package scenario

import (
	"fmt"
	"reflect"
)

// Baseline is a committed file of limits that a scenario must keep on any machine and
// beside any base: what may never happen, such as a lost message. Figures that depend
// on the machine have no place in it.
type Baseline struct {
	Scenario string   `json:"scenario" wsrig:"required" eg:"smoke" doc:"the scenario that it is for"`
	Checks   []string `json:"checks" wsrig:"required" eg:"[delivery.lost == 0]" doc:"what must hold in every cell"`
}

// ParseBaseline reads the baseline of a scenario. name is its file's, for messages. The
// error is Problems: every mistake in the text at once. Whether the scenario's cells can
// have the metrics is judged by Resolve.
func ParseBaseline(name string, text []byte, scenario string) ([]ExtraCheck, error) {
	root, problems := parseYAML(name, text)
	if err := problems.err(); err != nil {
		return nil, err
	}
	d := &decoder{file: name, at: map[string]position{}, broken: map[string]bool{}}
	var b Baseline
	if !isMap(root) {
		d.fail(root, "", "a baseline is a map; begin with scenario: %s", scenario)
		return nil, d.problems.err()
	}
	d.value(root, reflect.ValueOf(&b).Elem(), "")
	if b.Scenario != "" && b.Scenario != scenario {
		p := d.at["scenario"]
		d.problems = append(d.problems, Problem{name, p.line, p.column, fmt.Sprintf("this is the baseline of %s, not of %s", b.Scenario, scenario)})
	}
	if len(b.Checks) > maxItems {
		p := d.at["checks"]
		d.problems = append(d.problems, Problem{name, p.line, p.column, fmt.Sprintf("%d checks are above the limit of %d", len(b.Checks), maxItems)})
	}
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	extra := make([]ExtraCheck, len(b.Checks))
	for i, expr := range b.Checks {
		extra[i] = ExtraCheck{Expr: expr, File: name, Line: d.at[fmt.Sprintf("checks[%d]", i)].line}
	}
	return extra, nil
}
