package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// tables is every table of a report, in order. Each is built when it applies to a
// run; one that comes out without rows is not shown.
var tables = []tableDef{
	{title: "Idle connections", columns: idleColumns, cell: has("idle.clients")},
	{title: "Balance over the nodes", columns: balanceColumns, cell: hasBalance, rows: balancePhases, key: "phase"},
	{title: "Capacity", columns: capacityColumns, cell: hasProbes},
	{title: "Deliveries", columns: deliveryColumns, cell: has("delivery.sent")},
	{title: "Delivery latency, from the intended time", columns: latencyColumns, cell: has("delivery.latency.p50"), rows: latencyRows, key: "receivers"},
	{title: "Messages and deliveries a second", columns: throughputColumns, cell: has("delivery.rate")},
	{title: "Hops of a delivery", columns: hopColumns, cell: has("hop.bus.p50"), rows: hopRows, key: "hop"},
	{title: "Delivery latency from node to node, p50", cell: hasNodePairs, rows: publisherNodes, key: "from", more: receiverColumns},
	{title: "Lost, duplicate, reordered and late, by what was going on", columns: lossColumns, cell: hasLosses, rows: lossMarks, key: "during"},
	{title: "Handshakes", columns: handshakeColumns, cell: hasHandshakes},
	{title: "Use of the machine", columns: usageColumns, cell: hasUsage},
	{title: "Memory of an idle connection", columns: connectionMemoryColumns, cell: has("usage.rss_per_connection_nodes")},
	{title: "Connections that are counted differently", columns: viewColumns, cell: viewsDisagree, rows: disagreements, key: "trial, after"},
}

// tableDef is how a table comes from the cells of a run.
type tableDef struct {
	title   string
	columns []column
	// cell tells whether a cell is in the table.
	cell func(*result.Cell) bool
	// rows are the rows of one cell; nil stands for one row.
	rows func(*result.Cell) []string
	// key heads the column that tells the rows of a cell apart.
	key string
	// more are columns that depend on the rows; nil stands for none.
	more func([]*row) []column
}

// column is one column of a table: what it says about a row.
type column struct {
	Column
	text func(*row) string
}

// row is what a column is asked about.
type row struct {
	run    *result.Run
	cell   *result.Cell
	trials []*result.Trial // the conclusive ones, or all where none is
	key    string          // which row of the cell this is
	notes  *notes
}

// missing stands for a figure that has no data.
const missing = "–"

// Tables builds the tables of run that have something to say.
func Tables(run *result.Run) []Table {
	var out []Table
	for _, def := range tables {
		if t, ok := def.of(run); ok {
			out = append(out, t)
		}
	}
	if t, ok := scalabilityTable(run); ok {
		out = append(out, t)
	}
	return out
}

// of builds the table; ok is false where no cell is in it.
func (def tableDef) of(run *result.Run) (t Table, ok bool) {
	var rows []*row
	var seen notes
	for i := range run.Cells {
		c := &run.Cells[i]
		if !def.cell(c) {
			continue
		}
		trials, _ := c.Conclusive()
		keys := []string{""}
		if def.rows != nil {
			keys = def.rows(c)
		}
		for _, key := range keys {
			rows = append(rows, &row{run, c, trials, key, &seen})
		}
	}
	if len(rows) == 0 {
		return Table{}, false
	}
	columns := slices.Concat(cellColumns(rows), keyColumn(def.key), def.columns)
	if def.more != nil {
		columns = append(columns, def.more(rows)...)
	}
	return tableOf(def.title, columns, rows, &seen), true
}

// tableOf fills the columns in and leaves out those that have nothing to say of any
// row.
func tableOf(title string, columns []column, rows []*row, seen *notes) Table {
	t := Table{Title: title, Rows: make([][]string, len(rows))}
	for _, c := range columns {
		texts := make([]string, len(rows))
		empty := true
		for i, r := range rows {
			texts[i] = c.text(r)
			empty = empty && (texts[i] == "" || texts[i] == missing)
		}
		if empty {
			continue
		}
		t.Columns = append(t.Columns, c.Column)
		for i, text := range texts {
			t.Rows[i] = append(t.Rows[i], text)
		}
	}
	t.Notes = seen.lines()
	return t
}

// cellColumns name a cell: its proxy, and one column for each parameter that any
// cell of the table has.
func cellColumns(rows []*row) []column {
	columns := []column{{Column{Header: "proxy", Group: true, Role: roleProxy}, func(r *row) string { return r.cell.Proxy }}}
	params := map[string]bool{}
	for _, r := range rows {
		for name := range r.cell.Params {
			params[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		columns = append(columns, column{Column{Header: name, Role: roleParam}, func(r *row) string {
			if v, ok := r.cell.Params[name]; ok {
				return v
			}
			return missing
		}})
	}
	return columns
}

func keyColumn(header string) []column {
	if header == "" {
		return nil
	}
	return []column{{Column{Header: header}, func(r *row) string { return r.key }}}
}

// notes are the sentences under a table, each once.
type notes struct {
	list []string
	few  map[string]int64 // figures with too few samples: the most that a trial had
}

func (n *notes) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(n.list, text) {
		n.list = append(n.list, text)
	}
}

func (n *notes) addFew(metric string, samples int64) {
	if n.few == nil {
		n.few = map[string]int64{}
	}
	n.few[metric] = max(n.few[metric], samples)
}

// lines are all notes, the figures with too few samples last.
func (n *notes) lines() []string {
	lines := slices.Clone(n.list)
	for _, metric := range slices.Sorted(maps.Keys(n.few)) {
		name, stat, _ := splitStat(metric)
		lines = append(lines, fmt.Sprintf("No %s of %s where a trial has fewer than %s samples; the fullest of those had %s.",
			stat, name, result.Format(float64(result.MinSamples(stat)), "count"), result.Format(float64(n.few[metric]), "count")))
	}
	return lines
}

// figure is the column of a metric's median over the trials.
func figure(header, metric string) column {
	return column{Column{Header: header, Right: true}, func(r *row) string { return r.median(metric) }}
}

// total is the column of a count, added up over the trials.
func total(header, metric string) column {
	return column{Column{Header: header, Right: true}, func(r *row) string {
		values := r.values(metric)
		if len(values) == 0 {
			return missing
		}
		if len(r.trials) > 1 {
			r.notes.add("Counts are totals over the trials; times, rates and sizes are medians of the trials.")
		}
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return result.Format(sum, "count")
	}}
}

// values are the figures of a metric in the trials that have it.
func (r *row) values(metric string) []float64 {
	var values []float64
	for _, t := range r.trials {
		if m, ok := t.Metrics[metric]; ok {
			values = append(values, m.Value)
		}
	}
	return values
}

// median formats the cell's figure of a metric, or says in a note why there is none.
func (r *row) median(metric string) string {
	if m, ok := r.cell.Metrics[metric]; ok {
		return result.Format(m.Value, m.Unit)
	}
	if have := len(r.values(metric)); have > 0 && have < len(r.trials) {
		r.notes.add("%s: %s has data in %d of %d trials, so it has no median.", r.cell.ID, metric, have, len(r.trials))
		return missing
	}
	if name, stat, ok := splitStat(metric); ok {
		need := result.MinSamples(stat)
		if n := r.samples(name); n > 0 && n < need {
			r.notes.addFew(metric, n)
		}
	}
	return missing
}

// samples is how many samples the fullest trial has of a distribution.
func (r *row) samples(name string) int64 {
	var n int64
	for _, t := range r.trials {
		n = max(n, t.Metrics[name+".p50"].N)
	}
	return n
}

// splitStat takes "delivery.latency.p99.9" apart.
func splitStat(metric string) (name, stat string, ok bool) {
	for _, s := range result.Stats {
		if name, found := strings.CutSuffix(metric, "."+s); found {
			return name, s, true
		}
	}
	return "", "", false
}

// has tells whether any trial of a cell has a metric.
func has(metric string) func(*result.Cell) bool {
	return func(c *result.Cell) bool {
		return slices.ContainsFunc(c.Trials, func(t result.Trial) bool {
			_, ok := t.Metrics[metric]
			return ok
		})
	}
}
