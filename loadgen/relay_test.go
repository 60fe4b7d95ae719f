package loadgen

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// What a relay does with a message.
type handling struct {
	drop   bool
	repeat bool
	swap   bool          // it goes out after the next one
	hold   time.Duration // it goes out this much later, and after one that came later
	freeze time.Duration // nothing is read or sent for this long, then it goes out
}

// relay is a WebSocket server that gives each message to all members of its
// sender's room, in one order, but for what it is told to do wrong.
type relay struct {
	URL   string           // with the room as a template
	wrap  bool             // puts the text into a JSON object of its own
	self  bool             // gives it back to its sender alone
	wrong map[int]handling // by message, counted from 0
	all   bool             // sends to every room
	// setCookie is what the 101 sets; "" for nothing.
	setCookie string

	mu      sync.Mutex
	rooms   map[string]map[*websocket.Conn]bool
	headers []http.Header
	closes  []int // close codes of clients
	count   int
	relayed int      // number of the last message that went out in its turn
	waiting []func() // messages that go out after the next
	busy    sync.WaitGroup
}

// newRelay starts a relay; start makes the server of its handler, as
// httptest.NewServer does.
func newRelay(t testing.TB, r *relay, start func(http.Handler) *httptest.Server) *relay {
	t.Helper()
	r.rooms = make(map[string]map[*websocket.Conn]bool)
	srv := start(http.HandlerFunc(r.serve))
	r.URL = "ws" + strings.TrimPrefix(srv.URL, "http") + "/?room={room}&name={name}"
	t.Cleanup(func() {
		srv.Close()
		r.mu.Lock()
		for _, members := range r.rooms {
			for c := range members {
				_ = c.Close()
			}
		}
		r.mu.Unlock()
		r.busy.Wait()
	})
	return r
}

func (r *relay) serve(w http.ResponseWriter, req *http.Request) {
	up := websocket.Upgrader{Subprotocols: []string{"chat.v1"}, CheckOrigin: func(*http.Request) bool { return true }}
	r.busy.Add(1)
	defer r.busy.Done()
	room := req.URL.Query().Get("room")
	// Joined before the 101 goes out: a member is owed what is sent after its 101.
	r.mu.Lock()
	var header http.Header
	if r.setCookie != "" {
		header = http.Header{"Set-Cookie": {r.setCookie}}
	}
	c, err := up.Upgrade(w, req, header)
	if err != nil {
		r.mu.Unlock()
		return
	}
	if r.rooms[room] == nil {
		r.rooms[room] = make(map[*websocket.Conn]bool)
	}
	r.rooms[room][c] = true
	r.headers = append(r.headers, req.Header)
	r.mu.Unlock()
	defer c.Close()
	for {
		_, text, err := c.ReadMessage()
		if err != nil {
			r.leave(c, room, err)
			return
		}
		r.take(c, room, text)
	}
}

func (r *relay) leave(c *websocket.Conn, room string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rooms[room], c)
	if ce, ok := err.(*websocket.CloseError); ok {
		r.closes = append(r.closes, ce.Code)
	}
}

// take relays one message, or does wrong with it.
func (r *relay) take(from *websocket.Conn, room string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.count
	h := r.wrong[number]
	r.count++
	if r.wrap {
		text, _ = json.Marshal(map[string]any{"type": "chat", "html": "<b>" + string(text) + "</b>"})
	}
	send := func() { r.send(from, room, bytes.Clone(text)) }
	time.Sleep(h.freeze) // with the lock held, so that no reader gets further
	switch {
	case h.drop:
		return
	case h.swap:
		r.waiting = append(r.waiting, send)
		return
	case h.hold > 0:
		r.busy.Add(1)
		time.AfterFunc(h.hold, func() {
			defer r.busy.Done()
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.relayed < number { // its sender was held up meanwhile
				r.waiting = append(r.waiting, send)
				return
			}
			send()
		})
		return
	}
	send()
	r.relayed = number
	if h.repeat {
		send()
	}
	for _, w := range r.waiting {
		w()
	}
	r.waiting = nil
}

func (r *relay) send(from *websocket.Conn, room string, text []byte) {
	for name, members := range r.rooms {
		if name != room && !r.all {
			continue
		}
		for c := range members {
			if !r.self || c == from {
				_ = c.SetWriteDeadline(time.Now().Add(soon))
				_ = c.WriteMessage(websocket.TextMessage, text)
			}
		}
	}
}

// cut ends the connections of n members of a room.
func (r *relay) cut(room string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.rooms[room] {
		if n--; n < 0 {
			return
		}
		_ = c.NetConn().Close()
	}
}

// fleetOf connects clients to a URL and abandons them when the test ends.
func fleetOf(t testing.TB, engine Engine, relayMode string, spec ConnectSpec) *Fleet {
	t.Helper()
	f, err := NewFleet(engine, BeginSpec{Relay: relayMode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f.engine == nil {
			return // finished
		}
		if err := f.Abandon(); err != nil {
			t.Error(err)
		}
	})
	spec.Rate, spec.Timeout = 2000, soon
	spec.Rooms = max(1, spec.Rooms)
	spec.Total = spec.Clients
	res, err := f.Connect(deadline(t), spec, quiet)
	if err != nil || res.OK != spec.Clients {
		t.Fatalf("connect: %+v, %v", res, err)
	}
	return f
}

// finish ends a fleet's trial.
func finish(t testing.TB, f *Fleet) Snapshot {
	t.Helper()
	s, err := f.Finish(deadline(t))
	f.engine = nil
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publish publishes and waits for the deliveries.
func publish(t testing.TB, f *Fleet, spec PublishSpec) (PublishResult, AwaitResult) {
	t.Helper()
	if spec.Size == 0 {
		spec.Size = 128
	}
	if spec.Grace == 0 {
		spec.Grace = soon
	}
	res, err := f.Publish(deadline(t), spec, quiet)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Await(deadline(t), AwaitSpec{Logs: res.Logs, Grace: spec.Grace}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return res, got
}

// ledgerSum adds up a snapshot's ledger.
func ledgerSum(s Snapshot) (sum LedgerBucket) {
	for _, b := range s.Ledger {
		sum.Owed += b.Owed
		sum.Lost += b.Lost
		sum.Duplicate += b.Duplicate
		sum.Reordered += b.Reordered
		sum.Late += b.Late
		sum.Misrouted += b.Misrouted
	}
	return sum
}
