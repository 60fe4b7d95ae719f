package result

import (
	"fmt"
	"slices"
	"strings"
)

// Phases are the stretches of a trial that balance is judged for. Each ends with a
// connect step, and is named by the last fault before that: "start" is the first,
// "more" one without a fault since the connect before it. Every metric of the family
// balance is there for each phase too: balance.restart.fair is that of the clients
// who connected after a restart. Of several phases of one name it is the last one's.
var Phases = []string{"start", "more", "kill", "stop", "continue", "restart", "reload", "add", "disconnect", "reconnect"}

// balanceFamily begins the names of the metrics that phases have of their own.
const balanceFamily = "balance."

// BalanceMetric is the name of a metric of the family balance in a phase, or, with
// phase "", for the whole trial. name has no family: "fair".
func BalanceMetric(phase, name string) string {
	if phase == "" {
		return balanceFamily + name
	}
	return balanceFamily + phase + "." + name
}

// withoutPhase turns balance.restart.fair into balance.fair.
func withoutPhase(metric string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(metric, balanceFamily)
	if !ok {
		return "", false
	}
	phase, stat, ok := strings.Cut(rest, ".")
	if !ok || !slices.Contains(Phases, phase) {
		return "", false
	}
	return balanceFamily + stat, true
}

// Balance is how the new clients of one phase of a trial were spread over the nodes.
type Balance struct {
	Phase     string             `json:"phase"` // one of Phases
	Step      int                `json:"step"`  // the connect that ends it
	Algorithm string             `json:"algorithm"`
	Where     string             `json:"where"`                          // line of the configuration that says so
	Null      string             `json:"null"`                           // what a proxy that keeps to its algorithm does, in a sentence
	Weights   map[string]float64 `json:"weights"`                        // by node
	New       map[string]int     `json:"new"`                            // clients that connected in this phase, by node
	Open      map[string]int     `json:"open"`                           // clients connected at its end, as the nodes count
	Expected  map[string]float64 `json:"expected" jsonschema:"nullable"` // of New, if the algorithm was kept to; nil if that cannot be told
	Deviation float64            `json:"deviation"`                      // largest difference of New and Expected, in clients
	P         *float64           `json:"p,omitempty"`                    // chance of such a spread or a more uneven one, for what is drawn or hashed
	Known     int                `json:"known"`                          // new clients whose source address had connected before
	Moved     int                `json:"moved"`                          // of these, on another node than the last time
	Stray     int                `json:"stray"`                          // of these, on a node where the algorithm would not have moved them
	Fair      *bool              `json:"fair,omitempty"`                 // nil: it could not be judged
	Why       string             `json:"why,omitempty"`                  // why it could not be judged, or what was not fair
	Processes []ProcessOpen      `json:"processes,omitempty"`
}

// ProcessOpen is one process of the proxy at the end of a phase.
type ProcessOpen struct {
	PID  int  `json:"pid"`
	Old  bool `json:"old"`  // of an earlier configuration
	Open int  `json:"open"` // client connections
}

// validate finds figures that are none.
func (b *Balance) validate() error {
	for node, v := range b.Expected {
		if !finite(v) {
			return fmt.Errorf("expected clients of %q are no number", node)
		}
	}
	for node, v := range b.Weights {
		if !finite(v) {
			return fmt.Errorf("weight of %q is no number", node)
		}
	}
	if !finite(b.Deviation) || b.P != nil && !finite(*b.P) {
		return fmt.Errorf("deviation or p of phase %q is no number", b.Phase)
	}
	return nil
}
