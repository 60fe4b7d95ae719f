package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"wsrig/internal/result"
	"wsrig/loadgen"
)

// judgeLoad tells what the figures are worth.
func judgeLoad(s *loadgen.Summary) (status string, reasons []string) {
	failed := s.Metrics["handshake.failed"].Value
	if failed > 0 {
		reasons = append(reasons, fmt.Sprintf("%.0f handshakes failed", failed))
	}
	if lost := s.Metrics["delivery.lost"].Value; lost > 0 {
		reasons = append(reasons, fmt.Sprintf("%.0f of %.0f deliveries were lost", lost, s.Metrics["delivery.owed"].Value))
		if s.Foreign == 0 && s.Metrics["delivery.received"].Value <= s.Metrics["delivery.sent"].Value {
			reasons = append(reasons, "no message reached more than one client: for an echo server use --relay self")
		}
	}
	if n := s.Metrics["delivery.misrouted"].Value; n > 0 {
		reasons = append(reasons, fmt.Sprintf("%.0f deliveries went to clients of another room than the publisher's: is --rooms right for this server, and does the URL tell it {room}? For one that sends to all use --relay all", n))
	}
	switch {
	case s.Metrics["handshake.ok"].Value == 0:
		return result.Inconclusive, append(reasons, "no client was connected")
	case len(reasons) > 0:
		return result.Fail, reasons
	case len(s.Saturation) > 0:
		return result.Inconclusive, s.Saturation
	}
	return result.Pass, []string{}
}

// loadReport is what --json prints.
type loadReport struct {
	URL        string         `json:"url"`
	Seed       uint64         `json:"seed"`
	Loop       string         `json:"loop"`
	Duration   float64        `json:"duration_s"`
	Handshakes map[string]int `json:"handshakes"`
	// HandshakeErrors are the first error of each outcome but the 101.
	HandshakeErrors map[string]string        `json:"handshake_errors,omitempty"`
	Metrics         map[string]result.Metric `json:"metrics"`
	Foreign         int64                    `json:"foreign_frames"`
	Saturation      []string                 `json:"saturation"`
	Verdict         result.Verdict           `json:"verdict"`
}

func printLoadJSON(w io.Writer, s *loadgen.Summary, l loadgen.Load, status string, reasons []string) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(loadReport{
		URL: l.URL, Seed: l.Seed, Loop: l.Loop, Duration: s.Duration, Handshakes: s.Handshakes, HandshakeErrors: s.Failures, Metrics: s.Metrics,
		Foreign: s.Foreign, Saturation: append([]string{}, s.Saturation...), Verdict: result.Verdict{Status: status, Reasons: reasons},
	})
}

// printLoad prints the table for people: a line a metric that has data.
func printLoad(out io.Writer, s *loadgen.Summary, l loadgen.Load, status string, reasons []string) error {
	fmt.Fprintf(out, "%s: %s\n", strings.ToUpper(status), l.URL)
	if s.ClosedLoop {
		fmt.Fprintln(out, "  closed loop: messages waited for those before them, so no latency holds what a stall held up")
	}
	for _, r := range reasons {
		fmt.Fprintf(out, "  %s\n", r)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, d := range result.Metrics {
		if !d.Dist {
			m, ok := s.Metrics[d.Name]
			if ok && !(d.Name == "delivery.misrouted" && m.Value == 0) { // none is the rule
				fmt.Fprintf(w, "%s\t%s\n", d.Name, result.Format(m.Value, m.Unit))
			}
			continue
		}
		var figures []string
		for _, stat := range result.Stats {
			if m, ok := s.Metrics[d.Name+"."+stat]; ok {
				figures = append(figures, stat+" "+result.Format(m.Value, m.Unit))
			}
		}
		if len(figures) > 0 {
			fmt.Fprintf(w, "%s\t%s\t(n=%d)\n", d.Name, strings.Join(figures, "  "), s.Metrics[d.Name+".max"].N)
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(s.Handshakes)) {
		fmt.Fprintf(w, "handshakes: %s\t%d", outcome, s.Handshakes[outcome])
		if text := s.Failures[outcome]; text != "" {
			fmt.Fprintf(w, "\texample: %s", text)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
