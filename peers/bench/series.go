//go:build linux

package main

import (
	"fmt"
	"slices"
)

// series is one figure, measured again and again.
type series struct {
	Values []float64 `json:"values"`
	Failed []string  `json:"failed,omitempty"` // why a trial has no value
}

// add notes one trial.
func (s *series) add(v float64, err error) {
	if err != nil {
		s.Failed = append(s.Failed, err.Error())
		return
	}
	s.Values = append(s.Values, v)
}

// ok tells whether there is a value.
func (s *series) ok() bool { return s != nil && len(s.Values) > 0 }

// median is the middle value, or the mean of the middle two; ok must hold.
func (s *series) median() float64 {
	sorted := slices.Sorted(slices.Values(s.Values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// text is the median, and behind it the smallest and largest of several values.
func (s *series) text(show func(float64) string) string {
	if !s.ok() {
		return "none"
	}
	t := show(s.median())
	if len(s.Values) > 1 {
		t += fmt.Sprintf(" (%s to %s)", show(slices.Min(s.Values)), show(slices.Max(s.Values)))
	}
	if n := len(s.Failed); n > 0 {
		t += fmt.Sprintf(", %d of %d failed", n, n+len(s.Values))
	}
	return t
}

// How figures are shown.
func kib(bytes float64) string      { return fmt.Sprintf("%.2f", bytes/1024) }
func perSecond(v float64) string    { return fmt.Sprintf("%.0f", v) }
func micros(seconds float64) string { return fmt.Sprintf("%.0f", seconds*1e6) }
func share(v float64) string        { return fmt.Sprintf("%.2f", v) }
