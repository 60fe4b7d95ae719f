package chatnode

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/gorilla/websocket"
)

// hello is the first frame for a client that asks for one, because it is a page that
// cannot read the headers of a 101 and wants to know what it has missed.
type hello struct {
	Node  string `json:"node"`  // that serves the client
	Limit int64  `json:"limit"` // Config.MessageLimit, in bytes
	// History has the room's last messages, the oldest first, each a wire.Envelope
	// without Out. It is left out where the node keeps none, or Redis did not answer.
	// A message may be in History and come again behind the hello.
	History []json.RawMessage `json:"history,omitzero"`
}

// historyBytes bounds the history of one hello; the oldest messages give way.
const historyBytes = 1 << 20

// hello prepares the frame for a client that has just entered a room.
func (n *Node) hello(ctx context.Context, room string) *websocket.PreparedMessage {
	h := hello{Node: n.cfg.Name, Limit: n.cfg.MessageLimit}
	if n.cfg.History > 0 {
		heads, err := n.bus.history(ctx, room)
		if err != nil {
			n.log.Warn("history is missing from a hello", "room", room, "error", err.Error())
		} else {
			h.History = envelopes(heads)
		}
	}
	text, err := json.Marshal(map[string]hello{"hello": h})
	if err != nil {
		panic("chatnode: hello cannot be encoded: " + err.Error()) // envelopes lets only JSON in
	}
	pm, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
	if err != nil {
		panic("chatnode: hello cannot be prepared: " + err.Error()) // never for a text message
	}
	return pm
}

// envelopes completes heads, the newest of them up to historyBytes. It leaves out what
// is no head, as anybody with access to Redis may write there. It never returns nil.
func envelopes(heads []string) []json.RawMessage {
	size, from := 0, len(heads)
	for from > 0 && size+len(heads[from-1]) <= historyBytes {
		from--
		size += len(heads[from])
	}
	out := make([]json.RawMessage, 0, len(heads)-from)
	for _, head := range heads[from:] {
		if e := json.RawMessage(head + "}"); strings.HasPrefix(head, headPrefix) && json.Valid(e) {
			out = append(out, e)
		}
	}
	return out
}
