package scenario

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// Reference writes the reference of the scenario language in Markdown: the shipped
// scenarios, the keys of a file, the steps, the knobs, the check language and the
// metric table. It is made from the same tables that decode a scenario, and is
// committed as scenarios/README.md.
func Reference(shipped []*File) string {
	b := &reference{}
	b.line("# Scenarios\n")
	b.line("A scenario is one YAML file: what runs, what is done to it, and what must hold. `wsrig run NAME` runs a shipped one,")
	b.line("`wsrig run PATH` one of your own, and `wsrig check PATH` reads it and says everything that is wrong, without running it.\n")
	b.line("This file is generated: `go test ./internal/scenario -run Reference -update` writes it anew.\n")
	b.shipped(shipped)
	b.line("## Keys of a file\n")
	defaults := newFile()
	defaults.Testbed = TestbedBlock{} // has a table of its own
	defaults.Proxies = []string{"direct"}
	b.fields(defaults)
	b.line("### testbed\n")
	b.fields(defaultTestbed)
	b.values()
	b.steps()
	b.knobs()
	b.checks()
	b.metrics()
	return b.String()
}

type reference struct{ strings.Builder }

func (b *reference) line(format string, args ...any) {
	fmt.Fprintf(b, format+"\n", args...)
}

// row writes a table row; a bar inside a cell would end the cell.
func (b *reference) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	b.line("| %s |", strings.Join(cells, " | "))
}

func (b *reference) head(cells ...string) {
	b.row(cells...)
	b.line("|%s", strings.Repeat("---|", len(cells)))
}

func (b *reference) shipped(files []*File) {
	b.line("## Shipped scenarios\n")
	b.head("scenario", "question", "proxies", "varies", "steps")
	for _, f := range files {
		var knobs, kinds []string
		for _, v := range f.Vary {
			knobs = append(knobs, v.knob)
		}
		for _, s := range f.Steps {
			kinds = append(kinds, s.Kind())
		}
		b.row("["+f.Name+"]("+f.Name+".yaml)", f.Summary, strings.Join(f.Proxies, ", "), strings.Join(knobs, ", "), strings.Join(kinds, ", "))
	}
	b.line("")
}

// fields writes a table of the keys of a struct that holds its defaults.
func (b *reference) fields(defaults any) {
	v := reflect.Indirect(reflect.ValueOf(defaults))
	b.head("key", "value", "default", "meaning")
	for _, f := range fieldsOf(v.Type()) {
		def := "required"
		if !f.required {
			def = defaultText(v.FieldByIndex(f.index))
		}
		b.row("`"+f.name+"`", valueName(v.Type().FieldByIndex(f.index).Type), def, f.doc)
	}
	b.line("")
}

// valueName says what kind of value a field takes.
func valueName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Rate]():
		return "rate"
	case reflect.TypeFor[Count]():
		return "count"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Share]():
		return "share"
	case reflect.TypeFor[Memory]():
		return "memory"
	case reflect.TypeFor[Keepalive]():
		return "keepalive"
	case reflect.TypeFor[CloseCode]():
		return "close code"
	case reflect.TypeFor[busName]():
		return "redis or none"
	case reflect.TypeFor[nodeCmd]():
		return "command"
	case reflect.TypeFor[variations]():
		return "knobs, see below"
	case reflect.TypeFor[stepList]():
		return "steps, see below"
	case reflect.TypeFor[TestbedBlock]():
		return "map, see below"
	case reflect.TypeFor[arrivalName]():
		return "constant or poisson"
	case reflect.TypeFor[loopName]():
		return "open or closed"
	case reflect.TypeFor[[]TimedFault]():
		return "list of faults, see fault, each with `at`"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "port number"
	case reflect.Slice:
		return "list of texts"
	case reflect.Map:
		return "map of texts"
	default:
		return "text"
	}
}

// defaultText is the default of a field as a file would say it, or "none".
func defaultText(v reflect.Value) string {
	if v.IsZero() && v.Kind() != reflect.Bool && v.Type() != reflect.TypeFor[int]() {
		return "none"
	}
	if list, ok := v.Interface().([]string); ok {
		return "`[" + strings.Join(list, ", ") + "]`"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

func (b *reference) values() {
	b.line("## Values\n")
	b.head("value", "written", "limits")
	b.row("duration", "`500ms`, `15s`, `1m30s`", fmt.Sprintf("%s to %s", Duration(minDuration), Duration(maxDuration)))
	b.row("rate", "`200/s`, `12/m`, `90/h`", fmt.Sprintf("1/h to %d/s", maxRate))
	b.row("count", "`200`", fmt.Sprintf("1 to %d", maxCount))
	b.row("size", "`128` (bytes), `10KB` (of 1000), `4KiB` (of 1024)", fmt.Sprintf("1 to %d bytes", maxBody))
	b.row("share", "`20%`", fmt.Sprintf("%s to %s", Share(minShare), Share(maxShare)))
	b.row("memory", "`64MiB`, `512MB`", fmt.Sprintf("%s to %s", Memory(minMemory), Memory(maxMemory)))
	b.row("keepalive", "`none`, `client-ping 500ms`, `node-ping 10s`", "interval: a duration")
	b.row("command", "`wsrig`, `node-chat`, `node server.js`", "quoted as for sh; no shell runs it, and it starts in the working directory")
	b.row("proxy", "`direct`, `haproxy:short-tunnel`, `/etc/haproxy/haproxy.cfg`, `nginx:./my.conf`, with a program `haproxy:leastconn@image=haproxy:3.2` or `nginx:round-robin@bin=/opt/nginx`", fmt.Sprintf("at most %d cells in all", maxCells))
	b.line("")
	b.line("A file of your own is taken for a path when it holds a slash or ends in `.cfg` or `.conf`. Which proxy it is for is told")
	b.line("from its text, its name or its suffix; write `DRIVER:PATH` where that does not tell.")
	b.line("The language is strict: unknown keys, anchors, aliases, tags and second documents are errors, and all errors are shown at once.\n")
}

func (b *reference) steps() {
	b.line("## Steps\n")
	b.line("Each item of `steps` is a map of one key. A step that needs clients must come after a `connect`.\n")
	for _, name := range stepNames() {
		kind := steps[name]
		b.line("### %s\n", name)
		b.line("%s.\n", upperFirst(kind.doc))
		b.fields(kind.new())
		b.line("    - %s: %s\n", name, kind.example)
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (b *reference) knobs() {
	b.line("## Knobs\n")
	b.line("`vary` lists values for knobs; `--set KNOB=VALUE` replaces them, and what the steps say. A knob that no step uses is an error.\n")
	b.head("knob", "what it sets")
	for _, name := range knobNames() {
		b.row("`"+name+"`", knobs[name].doc)
	}
	b.line("")
}

func (b *reference) checks() {
	b.line("## Checks\n")
	b.line("    METRIC OP VALUE [when METRIC OP VALUE [and METRIC OP VALUE ...]]\n")
	b.line("OP is `==`, `!=`, `<`, `<=`, `>`, `>=`, or `within TOLERANCE of`; the tolerance is a percentage of VALUE, or a figure of the")
	b.line("metric's unit. VALUE is another metric of the same unit, or a number with a unit that fits; only 0 needs none. Counts are compared")
	b.line("exactly, other figures to 1e-9 of their size. A check is judged in every cell where its `when` holds. Where a metric it needs has")
	b.line("no data it is not judged, and the run is inconclusive; a check on a metric that no step gives is an error.\n")
	b.head("metric's unit", "values")
	for _, unit := range slices.Sorted(maps.Keys(result.ValueUnits)) {
		b.row(unit, result.ValueUnits[unit])
	}
	b.line("")
	b.line("    idle.closed_after.p50 within 10%% of declared.closed_after when declared.survived == 0\n")
}

func (b *reference) metrics() {
	b.line("## Metrics\n")
	b.line("A distribution has the figures %s, as in `delivery.latency.p99`. A percentile stands only on enough samples:", strings.Join(result.Stats, ", "))
	b.line("p90 on %d, p99 on %d, p99.9 on %d.\n", result.MinSamples("p90"), result.MinSamples("p99"), result.MinSamples("p99.9"))
	b.line("Each metric of the family balance is there for every phase of a trial too, as in `balance.restart.fair`. A phase ends with a")
	b.line("connect step and is named by the last fault before it: %s. `start` is the first, `more` is one without a fault before it.\n", strings.Join(result.Phases, ", "))
	b.head("metric", "unit", "better", "meaning")
	for _, d := range result.Metrics {
		name := "`" + d.Name + "`"
		if d.Dist {
			name += " (distribution)"
		}
		b.row(name, d.Unit, d.Better, d.Doc)
	}
}
