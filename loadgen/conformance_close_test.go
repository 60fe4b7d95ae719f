package loadgen

import (
	"strings"
	"testing"
	"time"

	"wsrig/internal/wire"
)

// Control frames break the silence in both directions; the Close frame that ends a
// connection, and the answer to it, do not.
func conformSilence(t *testing.T, e Engine) {
	steps := make(chan func(p *peer))
	answered := make(chan int64, 1)
	w := dialRaw(t, e, Dial{}, func(p *peer) {
		if !p.upgrade() {
			return
		}
		for step := range steps {
			step(p)
		}
		if head, _, ok := p.next(); ok && head == final|opClose {
			answered <- wire.Now()
		}
	})
	last := func() (heard, said int64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := len(w.heard); n > 0 {
			heard = w.heard[n-1]
		}
		if n := len(w.said); n > 0 {
			said = w.said[n-1]
		}
		return heard, said
	}
	before := wire.Now()
	steps <- func(p *peer) { p.frame(final|opPong, "") }
	eventually(t, "a pong is heard", func() bool { heard, _ := last(); return heard >= before })
	if _, said := last(); said != 0 {
		t.Error("something was said")
	}
	before = wire.Now()
	steps <- func(p *peer) { p.frame(final|opPing, ""); p.next() }
	eventually(t, "a ping is heard and answered", func() bool { heard, said := last(); return heard >= before && said >= before })
	before = wire.Now()
	if err := w.conn.Ping(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ping is said", func() bool { _, said := last(); return said >= before })
	steps <- func(p *peer) { p.next() } // that ping
	time.Sleep(20 * time.Millisecond)   // a silence to tell from none
	before = wire.Now()
	steps <- func(p *peer) { p.closeFrame(1000, "") }
	close(steps)
	end := w.over(t)
	heard, said := last()
	if heard >= before || said >= before {
		t.Error("the Close frame, or the answer to it, broke the silence")
	}
	if end.Kind != EndCloseFrame || end.At < before || end.At > <-answered {
		t.Errorf("ended as %+v; want a time after the Close frame was sent and before the answer came", end)
	}
}

func conformClosing(t *testing.T, newEngine func() Engine) {
	t.Run("the peer answers", func(t *testing.T) {
		t.Parallel()
		code := make(chan string, 1)
		w := dialRaw(t, newEngine(), Dial{}, func(p *peer) {
			if p.upgrade() {
				_, payload, _ := p.next()
				code <- string(payload)
				p.closeFrame(3001, "bye")
				p.untilGone()
			}
		})
		w.conn.Close(3001, soon)
		if end := w.over(t); end.Kind != EndCloseFrame || end.Code != 3001 || end.Text != "bye" || !end.Asked {
			t.Errorf("ended as %+v", end)
		}
		if got := <-code; got != "\x0b\xb9" {
			t.Errorf("the peer got the payload %q, want code 3001", got)
		}
	})
	t.Run("the peer does not answer", func(t *testing.T) {
		t.Parallel()
		w := dialRaw(t, newEngine(), Dial{}, func(p *peer) { p.upgrade(); p.untilGone() })
		const timeout = 300 * time.Millisecond
		begin := time.Now()
		w.conn.Close(1000, timeout)
		if end := w.over(t); end.Kind != EndError || !strings.Contains(end.Text, "did not answer") || !end.Asked {
			t.Errorf("ended as %+v", end)
		}
		if took := time.Since(begin); took < timeout {
			t.Errorf("given up after %s, before the timeout of %s", took, timeout)
		}
	})
	t.Run("a message is under way", func(t *testing.T) {
		t.Parallel()
		w := dialRaw(t, newEngine(), Dial{}, func(p *peer) {
			if p.upgrade() {
				p.next()
				p.frame(final|opText, "under way")
				p.closeFrame(1000, "")
				p.untilGone()
			}
		})
		w.conn.Close(1000, soon)
		w.over(t)
		if texts, _, _ := w.saw(); len(texts) != 1 || texts[0] != "under way" {
			t.Errorf("messages %q", texts)
		}
	})
	t.Run("abort", func(t *testing.T) { conformAbort(t, newEngine()) })
}

func conformAbort(t *testing.T, e Engine) {
	t.Parallel()
	seen := make(chan error, 1)
	w := dialRaw(t, e, Dial{}, func(p *peer) {
		if p.upgrade() {
			_, err := p.in.ReadByte()
			seen <- err
		}
	})
	w.conn.Abort()
	if end := w.over(t); end.Kind != EndError || !end.Asked {
		t.Errorf("ended as %+v", end)
	}
	if err := <-seen; !isReset(err) {
		t.Errorf("the peer saw %v, want a reset", err)
	}
	w.conn.Abort() // once more is no matter
	if w.conn.SendText([]byte("x")) == nil || w.conn.Ping() == nil {
		t.Error("an aborted connection took a message or a ping")
	}
}

// A peer that reads nothing: sending fails in time, and the connection can still be
// ended.
func conformStuck(t *testing.T, e Engine) {
	done := make(chan struct{})
	w := dialRaw(t, e, Dial{}, func(p *peer) {
		_ = p.SetReadBuffer(4096)
		p.upgrade()
		<-done
	})
	defer close(done)
	begin, message := time.Now(), make([]byte, 1<<20)
	var err error
	for err == nil && time.Since(begin) < soon {
		err = w.conn.SendText(message)
	}
	if err == nil {
		t.Fatal("a peer that reads nothing took everything")
	}
	for range 3 {
		if w.conn.Ping() == nil {
			t.Error("a connection with half a frame on it took a ping")
		}
	}
	w.conn.Close(1000, 100*time.Millisecond)
	if end := w.over(t); end.Kind != EndError || !end.Asked {
		t.Errorf("ended as %+v", end)
	}
	if took := time.Since(begin); took > 2*soon {
		t.Errorf("that took %s", took)
	}
}
