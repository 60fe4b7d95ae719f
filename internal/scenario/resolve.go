package scenario

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"wsrig/testbed"
)

// Options are the flags of a run. The zero value changes nothing.
type Options struct {
	Proxies  []string          // --proxy: instead of the file's proxies
	Trials   int               // --trials; 0 keeps the file's
	Parallel int               // --parallel; 0 keeps the file's
	Seed     uint64            // --seed; 0 draws one
	Set      map[string]string // --set KNOB=VALUE: instead of what the steps and vary say
	Catalog  Catalog           // which proxies there are; nil looks nothing up
	Trees    []Tree            // sides to compare: every proxy is a cell of each; nil for none
	Checks   []ExtraCheck      // what must hold besides what the file says

	Runtime *testbed.Abilities // what the runtime can do; nil judges nothing by it
	// Programs are versions of a driver's proxy, by driver: each of its configurations
	// runs with each of them, side by side, unless it names one itself.
	Programs map[string][]testbed.Program
}

// ExtraCheck is a check that is not in the scenario's own file.
type ExtraCheck struct {
	Expr string
	File string // where it is
	Line int
}

// Resolve applies the flags to a scenario and spells out its cells. The error is
// Problems: every mistake at once, in flags and file.
func Resolve(f *File, o Options) (*Plan, error) {
	plan, problems := f.resolve(o, true)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// resolution is one Resolve under way.
type resolution struct {
	file      *File
	options   Options
	abilities bool   // judge what the proxies of the cells can do
	torn      []bool // steps that could not be read in full
	problems  Problems
	// faults are the mistakes found in cells, and the cells they were found in.
	faults map[Problem][]string
	order  []Problem
}

func (f *File) resolve(o Options, abilities bool) (*Plan, Problems) {
	r := &resolution{file: f, options: o, abilities: abilities, faults: map[Problem][]string{}}
	for i := range f.Steps {
		r.torn = append(r.torn, brokenUnder(f.broken, fmt.Sprintf("steps[%d]", i)))
	}
	plan := &Plan{
		Scenario: f.Name,
		Summary:  f.Summary,
		Source:   f.text,
		File:     f.path,
		Seed:     o.Seed,
		Trials:   r.flag("--trials", o.Trials, int(f.Trials), maxTrials),
		Parallel: r.flag("--parallel", o.Parallel, int(f.Parallel), maxAtOnce),
	}
	if plan.Seed == 0 {
		plan.Seed = drawSeed()
	}
	if o.Parallel > 1 && f.Testbed.ProxyPort > 0 {
		r.flagProblem("--parallel", "one proxy_port cannot serve %d cells at the same time; use --parallel 1", o.Parallel)
	}
	cells := r.cells()
	for _, c := range cells {
		plan.Cells = append(plan.Cells, *c.cell)
	}
	for i, text := range f.Checks {
		path := fmt.Sprintf("checks[%d]", i)
		if f.broken[path] {
			continue
		}
		check, ok := planCheck(text, cells, func(column int, message string) { r.failAt(path, column, message) })
		if check.Line = f.where(path).line; ok {
			plan.Checks = append(plan.Checks, check)
		}
	}
	for _, extra := range o.Checks {
		check, ok := planCheck(extra.Expr, cells, func(column int, message string) {
			r.problems = append(r.problems, Problem{extra.File, extra.Line, column, extra.Expr + ": " + message})
		})
		if !ok {
			continue
		}
		check.Line, check.File = extra.Line, extra.File
		if i := slices.IndexFunc(plan.Checks, func(c CheckPlan) bool { return c.Expr == check.Expr }); i >= 0 {
			plan.Checks[i] = check // the scenario asks for it too: once is enough
			continue
		}
		plan.Checks = append(plan.Checks, check)
	}
	r.tellFaults(len(cells))
	r.tellUnpaired(plan.Cells)
	return plan, r.problems
}

// flag is the value of a flag, or of the file where it was not given.
func (r *resolution) flag(name string, given, fromFile, limit int) int {
	if given < 0 || given > limit {
		r.flagProblem(name, "%d is out of range; use 1 to %d", given, limit)
	}
	if given != 0 {
		return given
	}
	return fromFile
}

func (r *resolution) flagProblem(flag, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: flag, Message: fmt.Sprintf(format, args...)})
}

// failAt reports a mistake in a text of the file, at a column of that text. Only
// a text of one line, plain or quoted, has its columns in the file.
func (r *resolution) failAt(path string, column int, message string) {
	p := r.file.where(path)
	lines := strings.Split(r.file.text, "\n")
	if p.line <= len(lines) {
		line := []rune(strings.TrimPrefix(lines[p.line-1], "\ufeff"))
		if i := p.column - 1; i < len(line) {
			if strings.ContainsRune(`"'`, line[i]) {
				column++
			}
			if !strings.ContainsRune("|>&!", line[i]) && i+column <= len(line)+1 {
				p.column += column - 1
			}
		}
	}
	r.problems = append(r.problems, Problem{r.file.path, p.line, p.column, message})
}

// drawSeed draws a seed that every reader of JSON keeps exact, and that is not 0.
func drawSeed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24: it ends the program instead
	return max(1, binary.LittleEndian.Uint64(b[:])>>11)
}
