package loadgen

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func conformEnds(t *testing.T, newEngine func() Engine) {
	for _, c := range []struct {
		why    string
		script func(p *peer)
		want   End // its Text is part of the text
	}{
		{"a Close frame with a code and a reason", func(p *peer) { p.closeFrame(1012, "restart"); p.untilGone() },
			End{Kind: EndCloseFrame, Code: 1012, Text: "restart"}},
		{"a Close frame of an application", func(p *peer) { p.closeFrame(4321, "no é"); p.untilGone() },
			End{Kind: EndCloseFrame, Code: 4321, Text: "no é"}},
		{"a Close frame without a code counts as 1005", func(p *peer) { p.frame(final|opClose, ""); p.untilGone() },
			End{Kind: EndCloseFrame, Code: 1005}},
		{"a Close frame and a reset at once", func(p *peer) { p.closeFrame(1001, ""); p.next(); p.reset() },
			End{Kind: EndCloseFrame, Code: 1001}},
		{"the end of the stream", func(p *peer) {}, End{Kind: EndFIN}},
		{"the end of the stream inside a frame", func(p *peer) { p.say("\x81\x7e\x01\x00half of it") }, End{Kind: EndFIN}},
		{"a reset", func(p *peer) { p.reset() }, End{Kind: EndRST}},
		{"a masked frame", func(p *peer) { p.say("\x81\x81abcd\x00"); p.untilGone() }, End{Kind: EndProtocol, Text: "MASK"}},
		{"an opcode nobody has defined", func(p *peer) { p.frame(final|0x3, ""); p.untilGone() }, End{Kind: EndProtocol, Text: "opcode"}},
		{"a reserved bit", func(p *peer) { p.frame(final|0x20|opText, ""); p.untilGone() }, End{Kind: EndProtocol, Text: "RSV"}},
		{"a control frame in parts", func(p *peer) { p.frame(opPing, ""); p.untilGone() }, End{Kind: EndProtocol, Text: "FIN"}},
		{"a continuation of nothing", func(p *peer) { p.frame(final|opContinue, "x"); p.untilGone() }, End{Kind: EndProtocol, Text: "continuation"}},
		{"a Close frame with a code that may not be sent", func(p *peer) { p.closeFrame(1006, ""); p.untilGone() }, End{Kind: EndProtocol, Text: "1006"}},
		{"an HTTP answer where a frame should be", func(p *peer) { p.say("HTTP/1.1 408 Request Timeout\r\n\r\n"); p.untilGone() }, End{Kind: EndProtocol}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			w := dialRaw(t, newEngine(), Dial{}, func(p *peer) {
				if p.upgrade() && p.frame(final|opText, "first") {
					if _, _, ok := p.next(); ok { // the client's own first message: it has read ours
						c.script(p)
					}
				}
			})
			eventually(t, "the first message comes", func() bool { texts, _, _ := w.saw(); return len(texts) == 1 })
			if err := w.conn.SendText([]byte("go")); err != nil {
				t.Fatal(err)
			}
			end := w.over(t)
			if end.Kind != c.want.Kind || end.Code != c.want.Code || !strings.Contains(end.Text, c.want.Text) || end.Asked {
				t.Errorf("ended as %+v, want %+v", end, c.want)
			}
		})
	}
}

func conformMessages(t *testing.T, e Engine) {
	large := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	w := dialRaw(t, e, Dial{}, func(p *peer) {
		if !p.upgrade() {
			return
		}
		p.frame(final|opText, "")
		p.frame(final|opText, strings.Repeat("x", 125))
		p.frame(final|opText, strings.Repeat("y", 126))
		p.frame(final|opText, strings.Repeat("z", 1<<16))
		p.frame(opText, "frag")
		p.frame(final|opPing, "between")
		p.frame(opContinue, "")
		p.frame(final|opPong, "unasked")
		p.frame(final|opContinue, "mented")
		p.frame(final|opText, large)
		p.frame(final|opBinary, "binary")
		for _, b := range []byte("\x81\x05bytes") { // one at a time
			p.say(string([]byte{b}))
		}
		p.frame(final|opText, "last")
		p.untilGone()
	})
	want := []string{"", strings.Repeat("x", 125), strings.Repeat("y", 126), strings.Repeat("z", 1<<16), "fragmented", large, "binary", "bytes", "last"}
	eventually(t, "all messages come", func() bool { texts, _, _ := w.saw(); return len(texts) >= len(want) })
	texts, _, _ := w.saw()
	for i, s := range want {
		if texts[i] != s {
			t.Errorf("message %d is %.20q of %d bytes, want %.20q of %d", i, texts[i], len(texts[i]), s, len(s))
		}
	}
}

// sent is what a server got of a client that sends.
type sent struct {
	messages []string
	pings    int
	ok       bool // and nothing else
}

// collect reads messages, put together from their frames, and pings.
func (p *peer) collect(messages, pings int) (got sent) {
	var message strings.Builder
	for got.ok = p.upgrade(); got.ok && (len(got.messages) < messages || got.pings < pings); {
		head, payload, ok := p.next()
		got.ok = ok
		switch head & 0xf {
		case opPing:
			got.pings++
		case opText, opContinue:
			message.Write(payload)
			if head&final != 0 {
				got.messages = append(got.messages, message.String())
				message.Reset()
			}
		default:
			got.ok = false
		}
	}
	return got
}

// Messages of all sizes, sent from many goroutines while others ping: each arrives
// whole, and those of one goroutine in order.
func conformSending(t *testing.T, e Engine) {
	const senders, each, pings = 4, 50, 60
	sizes := []int{0, 1, 125, 126, 1000, 1 << 16, 1<<16 + 1, 300_000}
	result := make(chan sent, 1)
	w := dialRaw(t, e, Dial{}, func(p *peer) {
		result <- p.collect(senders*each, pings)
		p.untilGone()
	})
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				text := strconv.Itoa(s) + " " + strconv.Itoa(i) + " " + strings.Repeat("m", sizes[i%len(sizes)])
				if err := w.conn.SendText([]byte(text)); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range pings / 2 {
				if err := w.conn.Ping(); err != nil {
					t.Errorf("ping: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got := <-result
	if !got.ok || got.pings != pings {
		t.Fatalf("the server got %d messages and %d pings, and then something else", len(got.messages), got.pings)
	}
	next := make([]int, senders)
	for _, m := range got.messages {
		f := strings.SplitN(m, " ", 3)
		s, _ := strconv.Atoi(f[0])
		i, _ := strconv.Atoi(f[1])
		if i != next[s] || len(f[2]) != sizes[i%len(sizes)] {
			t.Fatalf("sender %d: message %d of %d bytes where %d of %d should be", s, i, len(f[2]), next[s], sizes[next[s]%len(sizes)])
		}
		next[s]++
	}
	// An engine may put frames together into one write.
	eventually(t, "the writes were told of", func() bool { _, _, said := w.saw(); return said > 0 })
}

func conformPings(t *testing.T, newEngine func() Engine) {
	for _, noPong := range []bool{false, true} {
		t.Run(map[bool]string{false: "answered", true: "not answered"}[noPong], func(t *testing.T) {
			first := make(chan string, 1)
			w := dialRaw(t, newEngine(), Dial{NoPong: noPong}, func(p *peer) {
				if !p.upgrade() || !p.frame(final|opPing, "are you there") || !p.frame(final|opText, "after") {
					return
				}
				head, payload, _ := p.next()
				first <- strconv.Itoa(int(head&0xf)) + " " + string(payload)
				p.untilGone()
			})
			eventually(t, "the message after the ping comes", func() bool { texts, _, _ := w.saw(); return len(texts) == 1 })
			if err := w.conn.SendText([]byte("mine")); err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{false: "10 are you there", true: "1 mine"}[noPong]
			if got := <-first; got != want {
				t.Errorf("the client's first frame is %q, want %q", got, want)
			}
		})
	}
}

// conformSource wants the address a client is to connect from to be the one that the
// server sees.
func conformSource(t *testing.T, e Engine) {
	remote := make(chan string, 1)
	w := dialRaw(t, e, Dial{Source: netip.MustParseAddr("127.0.7.9")}, func(p *peer) {
		if p.upgrade() {
			remote <- p.RemoteAddr().String()
		}
		p.untilGone()
	})
	got := <-remote
	if got != w.hs.Local.String() || w.hs.Local.Addr().String() != "127.0.7.9" {
		t.Errorf("the server sees %s, the client %s, want 127.0.7.9", got, w.hs.Local)
	}
}
