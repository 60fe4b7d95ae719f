package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// decodeAll is what this codec makes of a server's bytes: messages and pings in
// order, and the error or Close that ended them; "" for the end of the bytes.
func decodeAll(b []byte) (got []string, end string) {
	var a assembler
	for {
		f, rest, _, ok, err := parseFrame(b)
		if err != nil {
			return got, "error"
		}
		if !ok {
			return got, ""
		}
		b = rest
		switch f.op {
		case framePing:
			got = append(got, "ping "+string(f.payload))
		case framePong:
			got = append(got, "pong "+string(f.payload))
		case frameClose:
			code, reason, err := parseClose(f.payload)
			if err != nil {
				return got, "error"
			}
			return got, fmt.Sprintf("close %d %s", code, reason)
		default:
			m, done, err := a.take(f)
			if err != nil {
				return got, "error"
			}
			if done {
				got = append(got, "message "+string(m))
			}
		}
	}
}

// scripted is a server that upgrades and then sends bytes, as a connection in memory.
type scripted struct {
	net.Conn
	request, answer bytes.Buffer
	frames          []byte
}

func (s *scripted) Write(b []byte) (int, error)      { return s.request.Write(b) }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) Read(b []byte) (int, error) {
	if s.frames != nil {
		req, err := http.ReadRequest(bufio.NewReader(&s.request))
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(&s.answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptFor(req.Header.Get("Sec-WebSocket-Key")))
		s.answer.Write(s.frames)
		s.frames = nil
	}
	return s.answer.Read(b)
}

// decodeGorilla is the same by gorilla/websocket.
func decodeGorilla(t *testing.T, b []byte) (got []string, end string) {
	c := &scripted{frames: append([]byte{}, b...)}
	u := &url.URL{Scheme: "ws", Host: "test", Path: "/"}
	//lint:ignore SA1019 it is the one that takes a connection
	ws, _, err := websocket.NewClient(c, u, nil, 4096, 4096)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(messageLimit)
	ws.SetPingHandler(func(p string) error { got = append(got, "ping "+p); return nil })
	ws.SetPongHandler(func(p string) error { got = append(got, "pong "+p); return nil })
	for {
		_, m, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil:
			got = append(got, "message "+string(m))
		case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
			return got, fmt.Sprintf("close %d %s", closed.Code, closed.Text)
		case errors.As(err, &closed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return got, ""
		default:
			return got, "error"
		}
	}
}

// serverFrame is an unmasked frame.
func serverFrame(head byte, payload string) []byte {
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	default:
		b = append(b, 126, byte(n>>8), byte(n))
	}
	return append(b, payload...)
}

// FuzzFrames holds the codec against gorilla's on arbitrary bytes from a server. They
// must agree, but that gorilla does not look whether text is UTF-8, takes half a close
// code for none, and refuses a frame by its head alone.
func FuzzFrames(f *testing.F) {
	for _, seed := range [][]byte{
		serverFrame(final|opText, "hello"),
		slices.Concat(serverFrame(opText, "hel"), serverFrame(final|opPing, "p"), serverFrame(final|opContinue, "lo")),
		serverFrame(final|opClose, "\x03\xe8bye"),
		serverFrame(final|opClose, ""),
		serverFrame(final|opClose, "\x03\xed"),
		serverFrame(final|opBinary, string(make([]byte, 300))),
		{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'},
		{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 2},
		{0x81, 0x81, 1, 2, 3, 4, 5},
		{0xc1, 1, 'x'},
		{0x83, 0},
		{0x09, 0},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, end := decodeAll(b)
		want, wantEnd := decodeGorilla(t, b)
		switch {
		case end == "error" && stricter(b):
			return
		case strings.HasPrefix(end, "close 1014 ") && wantEnd == "error":
			return // registered with IANA since; gorilla does not know it
		case end == "" && wantEnd == "error" && slices.Equal(got, want) && cutShort(b):
			return // gorilla judges the head of a frame whose payload is still to come
		}
		if !slices.Equal(got, want) || end != wantEnd {
			t.Fatalf("%x:\n got  %q, then %q\n want %q, then %q", b, got, end, want, wantEnd)
		}
	})
}

// cutShort tells whether the bytes end within a frame.
func cutShort(b []byte) bool {
	for len(b) > 0 {
		_, rest, _, ok, err := parseFrame(b)
		if err != nil || !ok {
			return !ok
		}
		b = rest
	}
	return false
}

// stricter tells whether the first error is one that gorilla lets pass.
func stricter(b []byte) bool {
	var a assembler
	for {
		f, rest, _, ok, err := parseFrame(b)
		if err != nil || !ok {
			return false
		}
		b = rest
		switch f.op {
		case framePing, framePong:
		case frameClose:
			_, _, err := parseClose(f.payload)
			return err != nil && slices.Contains([]string{"the reason of a Close frame is not UTF-8", "a Close frame has half a code"}, err.Error())
		default:
			if _, _, err := a.take(f); err != nil {
				return err.Error() == "a text message is not UTF-8"
			}
		}
	}
}

func TestFramesOfEveryLengthComeBackFromGorilla(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 100_001} {
		payload := bytes.Repeat([]byte("wsrig"), n/5+1)[:n]
		frame := appendFrame(nil, frameText, payload, maskKey())
		// A server of gorilla's reads what a client wrote.
		c := &scripted{}
		c.answer.Write(frame)
		up := websocket.Upgrader{}
		req, err := http.NewRequest(http.MethodGet, "http://test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {newKey()}}
		ws, err := up.Upgrade(hijackable{c}, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, m, err := ws.ReadMessage()
		if err != nil || !bytes.Equal(m, payload) {
			t.Errorf("%d bytes: gorilla read %d bytes, %v", n, len(m), err)
		}
	}
}

// hijackable is a response writer over a connection.
type hijackable struct{ c net.Conn }

func (h hijackable) Header() http.Header         { return http.Header{} }
func (h hijackable) Write(b []byte) (int, error) { return h.c.Write(b) }
func (h hijackable) WriteHeader(int)             {}
func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.c, bufio.NewReadWriter(bufio.NewReader(h.c), bufio.NewWriter(h.c)), nil
}

func TestAnswersAreHeldToTheRFC(t *testing.T) {
	key := newKey()
	good := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " + acceptFor(key) + "\r\n"
	for _, row := range []struct {
		sentence, answer, outcome string
	}{
		{"a good one", good + "\r\n", ""},
		{"tokens in any case and among others", "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: UPGRADE\r\nsec-websocket-accept: " + acceptFor(key) + "\r\n\r\n", ""},
		{"an extension nobody asked for", good + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "invalid 101"},
		{"a subprotocol nobody asked for", good + "Sec-WebSocket-Protocol: chat\r\n\r\n", "invalid 101"},
		{"the accept of another key", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptFor(newKey()) + "\r\n\r\n", "invalid 101"},
		{"no Upgrade", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptFor(key) + "\r\n\r\n", "invalid 101"},
		{"a redirect is not followed", "HTTP/1.1 301 Moved\r\nLocation: /ws/\r\n\r\n", "HTTP 301"},
	} {
		_, _, ok, err := parseAnswer([]byte(row.answer), &Dial{}, key)
		var he *HandshakeError
		errors.As(err, &he)
		switch {
		case row.outcome == "" && (err != nil || !ok):
			t.Errorf("%s: refused: %v", row.sentence, err)
		case row.outcome != "" && (he == nil || he.Outcome != row.outcome):
			t.Errorf("%s: got %v, want the outcome %q", row.sentence, err, row.outcome)
		}
	}
	for n := range len(good) {
		if _, _, ok, err := parseAnswer([]byte(good[:n]), &Dial{}, key); ok || err != nil {
			t.Fatalf("the first %d bytes of an answer were taken for all of it: %v", n, err)
		}
	}
}
