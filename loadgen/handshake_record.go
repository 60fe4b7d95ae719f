package loadgen

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wsrig/internal/result"
)

// FirstError is the first error that was seen of a handshake outcome.
type FirstError struct {
	Text string `json:"text"` // fit for a terminal
	At   int64  `json:"at"`   // wire time
}

// maxErrorText bounds the text of an error that is kept, in bytes.
const maxErrorText = 200

// plainText makes a text fit for a terminal and bounds it: what a server sends may be
// in it.
func plainText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
	const ellipsis = "..."
	if len(text) <= maxErrorText {
		return text
	}
	end := maxErrorText - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// handshakeDue records that a handshake was due at a wire time.
func (r *recorder) handshakeDue(due int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.firstDue == 0 || due < r.firstDue {
		r.firstDue = due
	}
}

// handshakeOK records a handshake that was answered 101 at a wire time.
func (r *recorder) handshakeOK(connect, upgrade time.Duration, at int64) {
	r.mu.Lock()
	r.handshakes[outcomeOK]++
	r.lastOK = max(r.lastOK, at)
	r.mu.Unlock()
	r.connect.record(int64(connect))
	r.upgrade.record(int64(upgrade))
}

// handshakeFailed records a handshake that ended in another way at a wire time.
func (r *recorder) handshakeFailed(outcome string, cause error, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handshakes[outcome]++
	if _, seen := r.failures[outcome]; !seen {
		r.failures[outcome] = FirstError{plainText(cause.Error()), at}
	}
}

// handshakes merges the workers' handshakes and schedule lag.
func (s *Summary) handshakes() error {
	connect, upgrade, lag := NewDistribution(), NewDistribution(), NewDistribution()
	ok, all := 0, 0
	for _, w := range s.snapshots {
		for outcome, n := range w.Handshakes {
			s.Handshakes[outcome] += n
			all += n
			if outcome == outcomeOK {
				ok += n
			}
		}
		for _, p := range []struct {
			to   *Distribution
			from result.Histogram
		}{{connect, w.Connect}, {upgrade, w.Upgrade}, {lag, w.Lag}} {
			if err := p.to.Merge(p.from); err != nil {
				return err
			}
		}
	}
	if all > 0 {
		s.set("handshake.ok", float64(ok), int64(all))
		s.set("handshake.failed", float64(all-ok), int64(all))
	}
	s.failures()
	s.handshakeRate(ok)
	for name, d := range map[string]*Distribution{"handshake.connect": connect, "handshake.upgrade": upgrade, "schedule.lag": lag} {
		if err := s.record(name, d); err != nil {
			return err
		}
	}
	return nil
}

// failures keeps, of the workers' first errors of an outcome, the earliest.
func (s *Summary) failures() {
	first := map[string]FirstError{}
	for _, w := range s.snapshots {
		for outcome, e := range w.Failures {
			if seen, ok := first[outcome]; !ok || e.At < seen.At {
				first[outcome] = e
			}
		}
	}
	for outcome, e := range first {
		s.Failures[outcome] = e.Text
	}
}

// handshakeRate is the 101s of all workers over the time from the first handshake due
// at any of them to the last 101 at any.
func (s *Summary) handshakeRate(ok int) {
	var first, last int64
	for _, w := range s.snapshots {
		if w.FirstDue != 0 && (first == 0 || w.FirstDue < first) {
			first = w.FirstDue
		}
		last = max(last, w.LastOK)
	}
	if ok > 0 && last > first {
		s.set("handshake.rate", float64(ok)/seconds(last-first), int64(ok))
	}
}
