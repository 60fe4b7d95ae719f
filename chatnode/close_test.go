package chatnode

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// frame is a client's frame, written by hand so that it can be wrong. Its mask is 0.
func frame(first, second byte, payload string) []byte {
	return append([]byte{first, second, 0, 0, 0, 0}, payload...)
}

func TestEndsAreAnsweredAndReported(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) {
		c.MessageLimit, c.Compression, c.CloseWait = 1000, true, 100*time.Millisecond
	})
	witness := n.join(t, "r", "witness")
	tcp := func(p peer) *net.TCPConn { return p.NetConn().(*net.TCPConn) }
	raw := func(b []byte) func(peer) {
		return func(p peer) {
			if _, err := p.NetConn().Write(b); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name string // a sentence about what the client does
		do   func(peer)
		want wire.Closed
	}{
		{"it sends a binary frame",
			func(p peer) { _ = p.WriteMessage(websocket.BinaryMessage, []byte{1}) },
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1003, Cause: wire.CauseBinaryFrame}},
		{"it sends text that is not UTF-8",
			func(p peer) { _ = p.WriteMessage(websocket.TextMessage, []byte("a\xff")) },
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1007, Cause: wire.CauseNotUTF8}},
		{"it sends a message over the limit",
			func(p peer) { _ = p.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte("x"), 1001)) },
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1009, Cause: wire.CauseMessageTooBig}},
		{"it announces a message of 2^63 - 1 bytes",
			raw([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1009, Cause: wire.CauseMessageTooBig}},
		{"it sends a frame without a mask",
			raw([]byte{0x81, 0x01, 'x'}),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1002, Cause: wire.CauseProtocolError}},
		{"it sends a reserved opcode",
			raw(frame(0x83, 0x81, "x")),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1002, Cause: wire.CauseProtocolError}},
		{"it sends a fragmented ping",
			raw(frame(0x09, 0x81, "x")),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1002, Cause: wire.CauseProtocolError}},
		{"it sends a continuation of nothing",
			raw(frame(0x80, 0x81, "x")),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1002, Cause: wire.CauseProtocolError}},
		{"it sends a compressed message that does not decompress",
			raw(frame(0xc1, 0x84, "\xff\xff\xff\xff")),
			wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: 1002, Cause: wire.CauseProtocolError}},
		{"it closes with a code",
			func(p peer) {
				_ = p.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "bye"))
			},
			wire.Closed{By: wire.ByPeer, Kind: wire.KindCloseFrame, Code: 4001, Cause: wire.CauseClosedByPeer, Detail: "bye"}},
		{"it closes without a code",
			func(p peer) { _ = p.WriteMessage(websocket.CloseMessage, nil) },
			wire.Closed{By: wire.ByPeer, Kind: wire.KindCloseFrame, Code: 1005, Cause: wire.CauseClosedByPeer}},
		{"it ends the stream",
			func(p peer) { _ = tcp(p).CloseWrite() },
			wire.Closed{By: wire.ByPeer, Kind: wire.KindFIN, Cause: wire.CauseClosedByPeer}},
		{"it ends the stream within a frame",
			func(p peer) { raw(frame(0x81, 0x85, "he"))(p); _ = tcp(p).CloseWrite() },
			wire.Closed{By: wire.ByPeer, Kind: wire.KindFIN, Cause: wire.CauseClosedByPeer}},
		{"it resets the connection",
			func(p peer) { _ = tcp(p).SetLinger(0); p.Close() },
			wire.Closed{By: wire.ByPeer, Kind: wire.KindRST, Cause: wire.CauseClosedByPeer}},
	} {
		p := n.join(t, "r", c.name)
		remote := p.LocalAddr().String()
		before := wire.Now()
		c.do(p)
		if c.want.Kind != wire.KindRST {
			// The answer to a close frame repeats its code (RFC 6455 section 5.5.1).
			if got := p.closeCode(); got != c.want.Code {
				t.Errorf("%s: the close frame has code %d, want %d", c.name, got, c.want.Code)
			}
		}
		got := n.awaitClosed(t, c.name)
		if got.By != c.want.By || got.Kind != c.want.Kind || got.Code != c.want.Code || got.Cause != c.want.Cause ||
			c.want.Detail != "" && got.Detail != c.want.Detail {
			t.Errorf("%s: logged %+v, want %+v", c.name, got, c.want)
		}
		if got.Room != "r" || got.Remote != remote || got.At < before || got.AgeS < 0 || got.AgeS > patience.Seconds() {
			t.Errorf("%s: logged %+v; want room r, remote %s, at after %d", c.name, got, remote, before)
		}
	}
	if got := n.metric(t, "chatnode_protocol_errors_total"); got != 5 {
		t.Errorf("%v protocol errors counted, want 5", got)
	}
	if got := n.metric(t, `chatnode_closes_total{by="node",cause="binary frame",kind="close frame"}`); got != 1 {
		t.Errorf("%v closes for a binary frame counted, want 1", got)
	}
	witness.say("still here")
	if e := witness.hear(); e.Body != "still here" {
		t.Errorf("the other client heard %+v", e)
	}
	n.awaitMetric(t, "chatnode_connections_open", 1)
}

func TestCompressedMessageCountsItsRealSize(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Compression = true; c.MessageLimit = 10_000 })
	dialer := websocket.Dialer{EnableCompression: true}
	ws, _, err := dialer.Dial(n.url("r", "bomb"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	p := peer{ws, t}
	p.say(strings.Repeat("x", 10_000))
	if e := p.hear(); len(e.Body) != 10_000 {
		t.Errorf("a message at the limit came back with %d bytes", len(e.Body))
	}
	p.say(strings.Repeat("x", 1_000_000)) // about 1 kB on the wire
	if got := p.closeCode(); got != websocket.CloseMessageTooBig {
		t.Errorf("close code %d, want 1009", got)
	}
}

func TestCompressionIsOnlyOfferedWhenOn(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		n := startNode(t, func(c *Config) { c.Compression = on })
		dialer := websocket.Dialer{EnableCompression: true}
		ws, resp, err := dialer.Dial(n.url("r", "c"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		if got != on {
			t.Errorf("compression %v, negotiated %v", on, got)
		}
		text := strings.Repeat("so much to say ", 50)
		p := peer{ws, t}
		p.say(text)
		if e := p.hear(); e.Body != text {
			t.Errorf("compression %v: heard %q", on, e.Body)
		}
		ws.Close()
	}
}

func TestSilentPeerOfACloseIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.CloseWait = 50 * time.Millisecond })
	p := n.join(t, "r", "p") // it never reads, so it never answers a close frame
	start := time.Now()
	if err := n.quit(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("the drain took %v", took)
	}
	if c := n.awaitClosed(t, "p"); c.Cause != wire.CauseDrain || c.Kind != wire.KindCloseFrame || c.Code != 1012 {
		t.Errorf("logged %+v", c)
	}
	if got := p.closeCode(); got != 1012 {
		t.Errorf("close code %d, want 1012", got)
	}
}
