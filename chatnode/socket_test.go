package chatnode

import (
	"net"
	"strings"
	"testing"
	"time"
)

// opaque hides the file descriptors of a listener's connections, as TLS would.
type opaque struct{ net.Listener }

type opaqueConn struct{ net.Conn }

func (o opaque) Accept() (net.Conn, error) {
	c, err := o.Listener.Accept()
	return opaqueConn{c}, err
}

func TestConnectionsWithoutADescriptorWorkToo(t *testing.T) {
	t.Parallel()
	cfg, log := testConfig(nil)
	node, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := serveOn(t, node, opaque{listen(t, nil)}, log)
	a, b := n.join(t, "r", "a"), n.join(t, "r", "b")
	for range 20 {
		flood(a, 1, 10_000)
		if e := b.hear(); e.From != "a" {
			t.Errorf("heard %+v", e)
		}
	}
	a.Close()
	if c := n.awaitClosed(t, "a"); c.Kind != "FIN" && c.Kind != "RST" {
		t.Errorf("logged %+v", c)
	}
}

func TestMessagesOfEverySizeArriveWhole(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.MessageLimit = 1 << 20 })
	p := n.join(t, "r", "p")
	// Around the sizes of a frame's length field, of the read buffers, and of
	// socket buffers; several in one write, so that buffers hold more than one.
	sizes := []int{0, 1, 125, 126, 500, 512, 513, 4090, 4096, 4100, 65535, 65536, 1 << 20}
	for _, size := range sizes {
		p.say(strings.Repeat("s", size))
	}
	for _, size := range sizes {
		if e := p.hear(); len(e.Body) != size {
			t.Fatalf("a message of %d bytes came back with %d", size, len(e.Body))
		}
	}
}

func TestFragmentsAndPartialFramesAreReadWhole(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	p := n.join(t, "r", "p")
	// A message in two fragments with a ping between them, one byte at a time.
	bytes := append(frame(0x01, 0x82, "he"), frame(0x89, 0x80, "")...)
	bytes = append(bytes, frame(0x80, 0x83, "llo")...)
	for i := range bytes {
		if _, err := p.NetConn().Write(bytes[i : i+1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if e := p.hear(); e.Body != "hello" {
		t.Errorf("heard %+v", e)
	}
}
