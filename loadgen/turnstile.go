package loadgen

import "sync/atomic"

// turnstile bounds how many are inside at once. One goroutine lets them in. Once it is
// full, it waits until half have left: to be woken for each would cost as much as the
// handshake that it lets in.
type turnstile struct {
	limit  int64 // 0: no bound
	inside atomic.Int64
	half   chan struct{} // has an element after half had left
}

func newTurnstile(limit int) *turnstile {
	return &turnstile{limit: int64(limit), half: make(chan struct{}, 1)}
}

// enter lets one in, and waits first if it must. Those inside are handshakes, each of
// which has a deadline, and so this wait has one too.
func (t *turnstile) enter() {
	if t.limit > 0 && t.inside.Load() >= t.limit {
		for t.inside.Load() > t.limit/2 {
			<-t.half
		}
	}
	t.inside.Add(1)
}

func (t *turnstile) leave() {
	if t.inside.Add(-1) == t.limit/2 {
		select {
		case t.half <- struct{}{}:
		default:
		}
	}
}
