package loadgen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wsrig/internal/wire"
)

// witness is a Handler that notes what it is called with, and what it must not be.
type witness struct {
	opened chan struct{}
	ended  chan struct{}

	mu          sync.Mutex
	conn        Conn
	hs          Handshake
	end         End
	texts       []string
	heard, said []int64
	wrong       []string
}

func newWitness() *witness {
	return &witness{opened: make(chan struct{}), ended: make(chan struct{})}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// between notes a call that comes before Open or after End.
func (w *witness) between(call string) {
	if !isClosed(w.opened) || isClosed(w.ended) {
		w.wrong = append(w.wrong, call+" before Open or after End")
	}
}

func (w *witness) Open(c Conn, hs Handshake) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if isClosed(w.opened) {
		w.wrong = append(w.wrong, "Open twice")
		return
	}
	w.conn, w.hs = c, hs
	close(w.opened)
}

func (w *witness) Text(payload []byte, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.between("Text")
	if at < w.hs.At || at > wire.Now() {
		w.wrong = append(w.wrong, "Text at a time before the 101 or to come")
	}
	w.texts = append(w.texts, string(payload))
}

func (w *witness) Heard(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.between("Heard")
	w.heard = append(w.heard, at)
}

// Said may still be under way in a writer when the reader sees the end.
func (w *witness) Said(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !isClosed(w.opened) {
		w.wrong = append(w.wrong, "Said before Open")
	}
	w.said = append(w.said, at)
}

func (w *witness) End(e End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.between("End")
	w.end = e
	if !isClosed(w.ended) {
		close(w.ended)
	}
}

// saw returns what has come so far.
func (w *witness) saw() (texts []string, heard, said int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.texts...), len(w.heard), len(w.said)
}

// over waits for the end and returns it.
func (w *witness) over(t *testing.T) End {
	t.Helper()
	select {
	case <-w.ended:
	case <-time.After(soon):
		t.Fatal("the connection did not end")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range w.wrong {
		t.Error(what)
	}
	if now := wire.Now(); w.end.At < w.hs.At || w.end.At > now {
		t.Errorf("ended at %d, which is not between the 101 at %d and now, %d", w.end.At, w.hs.At, now)
	}
	return w.end
}

// dialRaw connects to a script of its own and returns the witness. The connection
// has ended when the test does.
func dialRaw(t *testing.T, e Engine, d Dial, script func(p *peer)) *witness {
	t.Helper()
	d.URL = "ws://" + listenRaw(t, script) + "/"
	if d.Timeout == 0 {
		d.Timeout = soon
	}
	w := newWitness()
	if err := e.Dial(deadline(t), d, w); err != nil {
		t.Fatal(err)
	}
	if !isClosed(w.opened) {
		t.Fatal("Dial returned before Open")
	}
	t.Cleanup(func() {
		w.conn.Abort()
		w.over(t)
		e.Wait()
	})
	return w
}

func TestEnginesConform(t *testing.T) {
	for _, name := range []string{"portable", "epoll", "auto"} {
		t.Run(name, func(t *testing.T) {
			newEngine, err := NewEngine(name)
			if err != nil {
				t.Fatal(err)
			}
			conformance(t, func() Engine {
				e := newEngine()
				t.Cleanup(e.Wait) // the servers have ended every connection by then
				return e
			})
		})
	}
}

// conformance is what every Engine must do; plain ws:// only.
func conformance(t *testing.T, newEngine func() Engine) {
	t.Run("handshakes that fail", func(t *testing.T) { conformHandshakes(t, newEngine) })
	t.Run("handshake given up", func(t *testing.T) { conformCancel(t, newEngine) })
	t.Run("handshake", func(t *testing.T) { conformHandshake(t, newEngine()) })
	t.Run("ends", func(t *testing.T) { conformEnds(t, newEngine) })
	t.Run("messages", func(t *testing.T) { conformMessages(t, newEngine()) })
	t.Run("sending", func(t *testing.T) { conformSending(t, newEngine()) })
	t.Run("pings", func(t *testing.T) { conformPings(t, newEngine) })
	t.Run("silence", func(t *testing.T) { conformSilence(t, newEngine()) })
	t.Run("closing", func(t *testing.T) { conformClosing(t, newEngine) })
	t.Run("source", func(t *testing.T) { conformSource(t, newEngine()) })
	t.Run("stuck", func(t *testing.T) { conformStuck(t, newEngine()) })
}

func conformHandshakes(t *testing.T, newEngine func() Engine) {
	vacant, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := vacant.Addr().String()
	_ = vacant.Close()
	answer := func(text string) func(*peer) {
		return func(p *peer) {
			if _, err := http.ReadRequest(p.in); err == nil {
				p.say(text)
			}
		}
	}
	for _, c := range []struct {
		outcome string
		script  func(p *peer) // nil: nobody listens
	}{
		{"HTTP 403", answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n")},
		{"HTTP 503", answer("HTTP/1.0 503 Service Unavailable\r\n\r\n<html>no server</html>")},
		{"HTTP 200", answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
		{"invalid 101", answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: guess\r\n\r\n")},
		{"error", answer("SSH-2.0-OpenSSH_9.2\r\n")},
		{"refused", nil},
		{"EOF before answer", answer("")},
		{"EOF before answer", answer("HTTP/1.1 101 Swit")},
		{"reset", func(p *peer) {
			if _, err := http.ReadRequest(p.in); err == nil {
				p.reset()
			}
		}},
		{"timeout", func(p *peer) { p.untilGone() }},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			t.Parallel()
			e, w := newEngine(), newWitness()
			d := Dial{URL: "ws://" + nobody + "/", Timeout: soon}
			if c.script != nil {
				d.URL = "ws://" + listenRaw(t, c.script) + "/"
			}
			if c.outcome == "timeout" {
				d.Timeout = 200 * time.Millisecond
			}
			err := e.Dial(deadline(t), d, w)
			e.Wait()
			var failed *HandshakeError
			if !errors.As(err, &failed) || failed.Outcome != c.outcome || failed.Err == nil {
				t.Errorf("Dial: %v, want the outcome %q", err, c.outcome)
			}
			if isClosed(w.opened) || isClosed(w.ended) {
				t.Error("the handler was called")
			}
		})
	}
}

// A run that is told to stop must not wait for servers that do not answer.
func conformCancel(t *testing.T, newEngine func() Engine) {
	asked := make(chan struct{})
	addr := listenRaw(t, func(p *peer) {
		if _, err := http.ReadRequest(p.in); err == nil {
			close(asked)
			p.untilGone()
		}
	})
	ctx, cancel := context.WithCancel(deadline(t))
	go func() {
		<-asked
		cancel()
	}()
	begin := time.Now()
	err := newEngine().Dial(ctx, Dial{URL: "ws://" + addr + "/", Timeout: 50 * time.Second}, newWitness())
	var failed *HandshakeError
	if !errors.As(err, &failed) || failed.Outcome != "cancelled" {
		t.Errorf("Dial: %v, want the outcome cancelled", err)
	}
	if took := time.Since(begin); took > soon {
		t.Errorf("Dial returned %s after it was cancelled", took)
	}
}

func conformHandshake(t *testing.T, e Engine) {
	requests, ports := make(chan *http.Request, 1), make(chan int, 1)
	before := wire.Now()
	const slow = 50 * time.Millisecond
	w := dialRaw(t, e, Dial{
		Header:      http.Header{"Origin": {"http://chat.example"}, "X-Two": {"a", "b"}, "Host": {"chat.example"}},
		Subprotocol: []string{"chat.v2", "chat.v1"},
	}, func(p *peer) {
		head, err := p.in.Peek(1)
		if err != nil || head[0] != 'G' {
			return
		}
		time.Sleep(slow) // so that there is an upgrade time to measure
		raw, err := http.ReadRequest(p.in)
		if err != nil {
			return
		}
		requests <- raw
		ports <- p.RemoteAddr().(*net.TCPAddr).Port
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nX-Chat-Node: n7\r\n" +
			"Sec-WebSocket-Accept: " + acceptKey(raw) + "\r\n\r\n")
		p.untilGone()
	})
	req := <-requests
	if req.Host != "chat.example" || req.Header.Get("Origin") != "http://chat.example" || len(req.Header["X-Two"]) != 2 {
		t.Errorf("the server got host %q and header %v", req.Host, req.Header)
	}
	if got := req.Header.Get("Sec-WebSocket-Protocol"); strings.ReplaceAll(got, " ", "") != "chat.v2,chat.v1" {
		t.Errorf("the server got the subprotocols %q", got)
	}
	hs := w.hs
	if hs.At < before || hs.At > wire.Now() || hs.Connect < 0 || hs.Upgrade < slow || hs.Header.Get("X-Chat-Node") != "n7" {
		t.Errorf("handshake %+v", hs)
	}
	if hs.Connect+hs.Upgrade > time.Duration(hs.At-before) {
		t.Errorf("connect %s and upgrade %s are longer than all of it, %s", hs.Connect, hs.Upgrade, time.Duration(hs.At-before))
	}
	if port := <-ports; int(hs.Local.Port()) != port {
		t.Errorf("local port %d, the server saw %d", hs.Local.Port(), port)
	}
	if e.Name() == "" {
		t.Error("the engine has no name")
	}
}
