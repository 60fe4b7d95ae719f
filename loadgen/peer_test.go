package loadgen

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
	final      = 0x80
)

// peer is a server's end of one connection, on the bytes: it can do what no
// WebSocket library would.
type peer struct {
	*net.TCPConn
	in *bufio.Reader
}

// listenRaw serves every connection with script, on a port of its own, until the
// test ends. It returns the address.
func listenRaw(t testing.TB, script func(p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(30 * time.Second)) // no script outlives its test for long
			serving.Go(func() {
				defer c.Close()
				script(&peer{c.(*net.TCPConn), bufio.NewReader(c)})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// acceptKey is the Sec-WebSocket-Accept of a request (RFC 6455 section 4.2.2).
func acceptKey(req *http.Request) string {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgrade reads a handshake and answers 101.
func (p *peer) upgrade() bool {
	req, err := http.ReadRequest(p.in)
	return err == nil && p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptKey(req)+"\r\n\r\n")
}

func (p *peer) say(text string) bool {
	_, err := io.WriteString(p, text)
	return err == nil
}

// frame sends one unmasked frame; head is its first byte.
func (p *peer) frame(head byte, payload string) bool {
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return p.say(string(b) + payload)
}

// closeFrame sends a Close frame with a code and a reason.
func (p *peer) closeFrame(code uint16, reason string) bool {
	return p.frame(final|opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// next reads one frame of the client, which must be masked.
func (p *peer) next() (head byte, payload []byte, ok bool) {
	var b [8]byte
	if _, err := io.ReadFull(p.in, b[:2]); err != nil || b[1]&0x80 == 0 {
		return 0, nil, false
	}
	head = b[0]
	n := uint64(b[1] & 0x7f)
	switch n {
	case 126:
		if _, err := io.ReadFull(p.in, b[:2]); err != nil {
			return 0, nil, false
		}
		n = uint64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		if _, err := io.ReadFull(p.in, b[:8]); err != nil {
			return 0, nil, false
		}
		n = binary.BigEndian.Uint64(b[:8])
	}
	var mask [4]byte
	payload = make([]byte, n)
	if _, err := io.ReadFull(p.in, mask[:]); err != nil {
		return 0, nil, false
	}
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return 0, nil, false
	}
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return head, payload, true
}

// untilGone reads whatever comes until the connection has ended.
func (p *peer) untilGone() { _, _ = io.Copy(io.Discard, p.in) }

// reset ends the connection with a RST (SO_LINGER 0, socket(7)).
func (p *peer) reset() {
	_ = p.SetLinger(0)
	_ = p.Close()
}
