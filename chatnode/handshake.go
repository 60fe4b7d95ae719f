package chatnode

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gorilla/websocket"
)

// NodeHeader is the header of a 101 that names the node.
const NodeHeader = "X-Chat-Node"

// Outcomes of a handshake, as the metric counts them.
const (
	outcomeOK       = "ok"
	outcomeBad      = "bad request"
	outcomeOrigin   = "forbidden origin"
	outcomeDraining = "draining"
	outcomeFull     = "full"
	outcomeBusDown  = "bus down"
	outcomeJoinWait = "join timeout"
	outcomeFailed   = "upgrade failed"
)

// retryAfter is the Retry-After of a 503 in seconds (RFC 9110 section 10.2.3).
const retryAfter = "1"

// ws answers GET /ws.
func (n *Node) ws(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		n.refuse(w, http.StatusUpgradeRequired, outcomeBad,
			"no WebSocket handshake: a proxy on the way must pass the headers Upgrade and Connection on")
		return
	}
	id := n.lastID.Add(1)
	roomName, name, err := whoAndWhere(r, id)
	if err != nil {
		n.refuse(w, http.StatusBadRequest, outcomeBad, err.Error())
		return
	}
	if !originAllowed(r, n.origins) {
		n.refuse(w, http.StatusForbidden, outcomeOrigin,
			fmt.Sprintf("origin %q is not allowed", r.Header.Get("Origin")))
		return
	}
	if err := n.admit(); err != nil {
		outcome := outcomeFull
		if errors.Is(err, errDraining) {
			outcome = outcomeDraining
		}
		n.refuse(w, http.StatusServiceUnavailable, outcome, err.Error())
		return
	}
	if !n.connect(w, r, newClient(n, id, name), roomName) {
		n.forget(nil)
	}
}

// whoAndWhere reads and checks the room and the name that a request asks for.
func whoAndWhere(r *http.Request, id uint64) (roomName, name string, err error) {
	q := r.URL.Query()
	if roomName = q.Get("room"); roomName == "" {
		roomName = "lobby"
	}
	if name = q.Get("name"); name == "" {
		name = "anon-" + strconv.FormatUint(id, 10)
	}
	return roomName, name, errors.Join(checkName("room", roomName), checkName("name", name))
}

// connect takes an admitted handshake to its 101 and starts serving the client. It
// reports whether there is a client now.
func (n *Node) connect(w http.ResponseWriter, r *http.Request, c *client, roomName string) bool {
	ctx, cancel := context.WithTimeout(r.Context(), n.cfg.JoinWait)
	defer cancel()
	if err := n.bus.join(ctx, roomName); err != nil {
		outcome := outcomeJoinWait
		if errors.Is(err, errBusDown) {
			outcome = outcomeBusDown
		}
		n.refuse(w, http.StatusServiceUnavailable, outcome, err.Error())
		return false
	}
	// From here the client collects messages, so that none is missed after the 101.
	n.rooms.enter(roomName, c)
	if r.URL.Query().Get("hello") == "1" {
		c.sendFirst(n.hello(ctx, roomName))
	}
	hj := &hijacker{ResponseWriter: w}
	conn, err := n.upgrader.Upgrade(hj, r, http.Header{NodeHeader: {n.cfg.Name}})
	if err != nil {
		n.rooms.exit(c)
		n.bus.leave(roomName)
		if hj.taken != nil {
			n.metrics.handshakes.WithLabelValues(outcomeFailed).Inc()
		}
		return false
	}
	n.metrics.handshakes.WithLabelValues(outcomeOK).Inc()
	c.open(conn, hj.taken)
	if n.register(c) {
		n.sayGoodbye(c)
	}
	// A goroutine of its own: this one's stack has grown in net/http.
	go c.serve()
	return true
}

// refuse answers a handshake with an error status and a reason for people.
func (n *Node) refuse(w http.ResponseWriter, status int, outcome, reason string) {
	n.metrics.handshakes.WithLabelValues(outcome).Inc()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, reason, status)
}

// upgradeRefused answers what gorilla refuses: a handshake that breaks RFC 6455
// section 4.2.1.
func (n *Node) upgradeRefused(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	n.refuse(w, status, outcomeBad, reason.Error())
}
