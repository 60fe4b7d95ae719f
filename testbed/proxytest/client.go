package proxytest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Client is one WebSocket.
type Client struct {
	Conn  *websocket.Conn
	Node  string         // that the 101 named
	Local netip.AddrPort // the client's own TCP address
	Open  time.Time
}

// Ending is how a WebSocket ended at the client.
type Ending struct {
	Kind  string        // "close 1001", "FIN", "RST", or "open" when it did not end
	After time.Duration // since the 101
}

// Dial opens a WebSocket to path on addr, within 10 s. It ends with the test.
func Dial(tb testing.TB, addr, path string) *Client {
	tb.Helper()
	c, status, err := TryDial(tb, addr, path)
	if err != nil {
		tb.Fatalf("handshake with %s%s: HTTP status %d: %v", addr, path, status, err)
	}
	return c
}

// TryDial is Dial for handshakes that may fail: status is the HTTP status, or 0
// without an answer.
func TryDial(tb testing.TB, addr, path string) (c *Client, status int, err error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	conn, resp, err := new(websocket.Dialer).DialContext(ctx, "ws://"+addr+path, http.Header{"Origin": {"http://" + addr}})
	if resp != nil {
		status = resp.StatusCode
	}
	if err != nil {
		return nil, status, err
	}
	tb.Cleanup(func() { conn.Close() })
	return &Client{conn, resp.Header.Get(nodeHeader), conn.LocalAddr().(*net.TCPAddr).AddrPort(), time.Now()}, status, nil
}

// DialMany opens n WebSockets and counts them by node.
func DialMany(tb testing.TB, addr, path string, n int) ([]*Client, map[string]int) {
	tb.Helper()
	var clients []*Client
	byNode := map[string]int{}
	for range n {
		c := Dial(tb, addr, path)
		clients = append(clients, c)
		byNode[c.Node]++
	}
	return clients, byNode
}

// Echo sends a text and waits up to 10 s for it to come back.
func (c *Client) Echo(text string) error {
	c.Conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := c.Conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	_, got, err := c.Conn.ReadMessage()
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	if string(got) != text {
		return fmt.Errorf("echo: sent %q, got %q", text, got)
	}
	return nil
}

// Ending reads until the WebSocket ends, or until limit after the 101. Pings of the
// node are answered meanwhile.
func (c *Client) Ending(limit time.Duration) Ending {
	c.Conn.SetReadDeadline(c.Open.Add(limit))
	for {
		_, _, err := c.Conn.ReadMessage()
		if err == nil {
			continue
		}
		after := time.Since(c.Open)
		var closed *websocket.CloseError
		var timeout net.Error
		switch {
		// gorilla reports the end of the stream without a close frame as code 1006,
		// which no peer may send (RFC 6455, section 7.4.1).
		case errors.As(err, &closed) && closed.Code == websocket.CloseAbnormalClosure:
			return Ending{"FIN", after}
		case errors.As(err, &closed):
			return Ending{fmt.Sprintf("close %d", closed.Code), after}
		case errors.As(err, &timeout) && timeout.Timeout():
			return Ending{"open", after}
		}
		return Ending{"RST", after}
	}
}

// Deaf makes the client leave the node's pings unanswered.
func (c *Client) Deaf() { c.Conn.SetPingHandler(func(string) error { return nil }) }

// Ping sends a ping every interval until the given time after the 101, then is silent.
// It returns at once; the pings end with the WebSocket too.
func (c *Client) Ping(tb testing.TB, every, until time.Duration) {
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for at := every; at <= until; at += every {
			select {
			case <-stop:
				return
			case <-time.After(time.Until(c.Open.Add(at))):
				if c.Conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
					return
				}
			}
		}
	}()
	tb.Cleanup(func() { close(stop); <-done })
}

// tolerance is how far a measured idle close may be from its right value.
const tolerance = 300 * time.Millisecond

// Closed checks that the WebSocket ended in this way, this long after the 101. The
// end may come later than the tolerance on a machine that is busy with other things,
// so that a late one is checked against lag, the lateness of timers seen meanwhile.
func (c *Client) Closed(tb testing.TB, kind string, want time.Duration) {
	tb.Helper()
	lag := watchLag()
	got := c.Ending(want + 10*time.Second)
	late := tolerance + lag()
	if got.Kind != kind || got.After < want-tolerance || got.After > want+late {
		tb.Errorf("ended by %s after %.2f s, want %s after %v (-%v +%v)", got.Kind, got.After.Seconds(), kind, want, tolerance, late)
	}
}

// watchLag measures how late this process's own timers come, until the returned
// function is called, which gives the largest lateness.
func watchLag() func() time.Duration {
	stop, worst := make(chan struct{}), make(chan time.Duration)
	go func() {
		var lag time.Duration
		for {
			const step = 50 * time.Millisecond
			from := time.Now()
			select {
			case <-stop:
				worst <- lag
				return
			case <-time.After(step):
				lag = max(lag, time.Since(from)-step)
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-worst
	}
}
