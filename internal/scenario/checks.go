package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// source says where the metrics of a family come from.
type source struct {
	prefix string
	step   string // kind without which no cell has the metric; "" if none is needed
	proxy  bool   // and it takes a proxy
	cross  bool   // and a second node that messages can cross to
}

// sources lists the families. The first prefix that fits counts.
var sources = []source{
	{prefix: "connections.open_proxy", step: "connect", proxy: true},
	{prefix: "usage.cpu_proxy", proxy: true},
	{prefix: "usage.rss_proxy", proxy: true},
	{prefix: "usage.rss_per_connection_proxy", step: "idle", proxy: true},
	{prefix: "usage.rss_per_connection", step: "idle"},
	{prefix: "usage."},
	{prefix: "reload.", step: Reload, proxy: true},
	{prefix: "declared.idle_timeout"}, // absent behind direct, which a condition may ask for
	{prefix: "declared.", step: "idle"},
	{prefix: "idle.", step: "idle"},
	{prefix: "delivery.latency_cross_node", step: "publish", cross: true},
	{prefix: "delivery.backplane_tax", step: "publish", cross: true},
	{prefix: "delivery.", step: "publish"},
	{prefix: "hop.", step: "publish"},
	{prefix: "capacity.", step: "search"},
	{prefix: "rate.", step: "publish"},
	{prefix: "handshake.", step: "connect"},
	{prefix: "connections.", step: "connect"},
	{prefix: "balance.", step: "connect"},
	{prefix: "schedule.", step: "connect"},
}

// planCheck parses a check and reports, by fail, a metric that no cell or not
// every cell can have: such a check could never be judged there.
func planCheck(text string, cells []judgedCell, fail func(column int, message string)) (CheckPlan, bool) {
	e, err := result.ParseExpr(text)
	var at *result.ExprError
	if errors.As(err, &at) {
		fail(at.Column, at.Message)
		return CheckPlan{}, false
	}
	for _, metric := range e.Metrics() {
		column := len([]rune(text[:max(0, strings.Index(text, metric))])) + 1
		for _, c := range cells {
			if why := c.lacks(metric); why != "" {
				fail(column, why)
				break
			}
		}
	}
	return CheckPlan{Expr: text}, true
}

// judgedCell is a cell whose steps have been gone through.
type judgedCell struct {
	cell   *CellPlan
	kinds  map[string]bool
	unsure bool
	direct bool // judged as direct: abilities count
}

// lacks says why the cell cannot have the metric; "" if it can.
func (c judgedCell) lacks(metric string) string {
	i := slices.IndexFunc(sources, func(s source) bool { return strings.HasPrefix(metric, s.prefix) })
	if i < 0 || c.unsure {
		return ""
	}
	s := sources[i]
	switch {
	case s.step == Reload && !c.kinds[s.step]:
		return fmt.Sprintf("no step gives %s; add - fault: {reload: proxy} or remove the check", metric)
	case s.step != "" && !c.kinds[s.step]:
		return fmt.Sprintf("no step gives %s; add a step %s or remove the check", metric, s.step)
	case s.proxy && c.direct:
		return fmt.Sprintf("the cell %q has no proxy to give %s, so the check could never be judged there; remove direct from the proxies, or the check", c.cell.ID, metric)
	case s.cross && c.cell.Testbed.Nodes < 2:
		return fmt.Sprintf("the cell %q has one node, so no message gives %s; use nodes: 2 or remove the check", c.cell.ID, metric)
	default:
		return ""
	}
}
