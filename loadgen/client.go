package loadgen

import (
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"wsrig/internal/wire"
)

// client is one WebSocket client of a fleet. Its reader alone writes the ledger
// part; what other goroutines look at is atomic.
type client struct {
	fleet *fleetState
	id    uint32
	room  int
	due   int64 // wire time at which its handshake was due

	conn     Conn
	node     uint8
	local    netip.AddrPort
	openedAt int64 // wire time of the 101; 0 before

	heard, said atomic.Int64 // wire time of the last byte in and out
	ended       atomic.Bool
	end         End // valid once ended

	receipts receipts
	echoes   atomic.Pointer[chan echo] // who waits for the client's own messages; nil for nobody
}

func clientName(id uint32) string { return "c" + strconv.FormatUint(uint64(id), 10) }

// openNow tells whether the client is connected. It is called after its handshake.
func (c *client) openNow() bool { return c.openedAt != 0 && !c.ended.Load() }

// Open implements Handler.
func (c *client) Open(conn Conn, hs Handshake) {
	// The time this client waited for its turn is part of its connect time.
	c.fleet.rec.handshakeOK(time.Duration(hs.At-c.due)-hs.Upgrade, hs.Upgrade, hs.At)
	c.fleet.jars.answered(c.id, hs.Header)
	c.conn = conn
	c.local = hs.Local
	c.node = c.fleet.nodes.index(hs.Header.Get("X-Chat-Node"))
	c.openedAt = hs.At
	c.heard.Store(hs.At)
	c.said.Store(hs.At)
	c.fleet.openCount.Add(1)
	c.fleet.opens.change(c.node, 1)
}

// Heard implements Handler.
func (c *client) Heard(at int64) { c.heard.Store(at) }

// Said implements Handler.
func (c *client) Said(at int64) { c.said.Store(at) }

// Text implements Handler: the record path.
func (c *client) Text(payload []byte, at int64) {
	s, ok := wire.FindStamp(payload)
	grace, ours := c.fleet.phaseGrace(s.Run)
	if !ok || !ours || c.fleet.relay == RelaySelf && s.Publisher != c.id {
		c.fleet.foreign.Add(1)
		return
	}
	if c.receipts == nil {
		c.receipts = make(receipts)
	}
	key := pubKey{s.Run, s.Publisher}
	t := c.receipts[key]
	if t == nil {
		if t = (&track{}); c.fleet.rooms.strays(s.Publisher, c.room) {
			t.stray = true
		} else {
			t.last = c.fleet.rec.last.of(key)
		}
		c.receipts[key] = t
	}
	if t.stray {
		c.fleet.rec.misrouted(s.Intended)
		return
	}
	how := t.observe(s.Seq)
	if how != duplicate {
		c.fleet.rec.delivery(s.Node, c.node, s.Intended, at)
		c.fleet.rec.apartOf(s.Run).delivery(at - s.Intended)
		c.fleet.rec.hop(payload, s.Intended, at)
		t.last.received(s.Seq, at-s.Intended)
	}
	if s.Publisher == c.id {
		c.echo(s.Run, s.Seq)
	}
	late := how != duplicate && at-s.Intended > grace
	if how != inOrder || late {
		c.fleet.rec.anomaly(how, late, s.Intended)
	}
}

// End implements Handler.
func (c *client) End(e End) {
	c.end = e
	c.ended.Store(true)
	c.fleet.openCount.Add(-1)
	c.fleet.opens.change(c.node, -1)
	c.fleet.signalEnd()
}

// Close is the end of one client's connection as the control API and closes.ndjson
// carry it. Lengths of time are seconds. The Close frame that ends a connection
// breaks no silence, and neither does the answer to it.
type Close struct {
	Client       string         `json:"client"`
	Node         string         `json:"node"`
	Room         string         `json:"room"`
	Local        netip.AddrPort `json:"local"`     // TCP address it connected from
	OpenedAt     int64          `json:"opened_at"` // wire time of the 101
	EndedAt      int64          `json:"ended_at"`  // wire time
	After        float64        `json:"after_s"`   // from the 101 to the end
	Kind         string         `json:"kind"`      // see the End kinds; "open" if it outlived the trial
	Code         int            `json:"code,omitempty"`
	Text         string         `json:"text,omitempty"`
	ByClient     bool           `json:"by_client,omitempty"`
	ReadSilence  float64        `json:"read_silence_s"`  // last byte from the server to the end
	WriteSilence float64        `json:"write_silence_s"` // last byte to the server to the end
	By           string         `json:"by,omitempty"`    // filled in by the runner: client, node, proxy, network, unknown
	Cause        string         `json:"cause,omitempty"` // filled in by the runner
	Flags        string         `json:"flags,omitempty"` // proxy's termination state, filled in by the runner
	NodeCause    string         `json:"node_cause,omitempty"`
}

func (c *client) close() Close {
	cl := Close{
		Client: clientName(c.id), Node: c.fleet.nodes.name(int(c.node)), Room: roomName(c.room),
		Local: c.local, OpenedAt: c.openedAt, EndedAt: c.end.At,
		Kind: c.end.Kind, Code: c.end.Code, Text: c.end.Text, ByClient: c.end.Asked,
	}
	cl.After = seconds(c.end.At - c.openedAt)
	// Bytes may still move between the moment that is taken for the end, such as
	// that of finish, and the last of the connection.
	cl.ReadSilence = max(0, seconds(c.end.At-c.heard.Load()))
	cl.WriteSilence = max(0, seconds(c.end.At-c.said.Load()))
	return cl
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

func roomName(room int) string { return "r" + strconv.Itoa(room) }
