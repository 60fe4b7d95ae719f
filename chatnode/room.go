package chatnode

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// room is the set of this node's clients that share a name's messages.
type room struct {
	name string
	size int // members and those about to be or just gone; guarded by rooms.mu

	mu      sync.Mutex // held while a message is handed out: it makes the one order
	members []*client
}

// rooms are all rooms with members on this node. Its lock is never held while that of
// a room is waited for, so a large room does not hold up the others.
type rooms struct {
	mu     sync.RWMutex
	byName map[string]*room
}

func newRooms() *rooms { return &rooms{byName: map[string]*room{}} }

// enter makes c a member of the room called name.
func (rs *rooms) enter(name string, c *client) {
	rs.mu.Lock()
	r := rs.byName[name]
	if r == nil {
		r = &room{name: strings.Clone(name)}
		rs.byName[r.name] = r
	}
	r.size++
	rs.mu.Unlock()

	r.mu.Lock()
	defer r.mu.Unlock()
	c.room = r
	c.seat = len(r.members)
	r.members = append(r.members, c)
}

// exit takes c out of its room, and the room away with its last member.
func (rs *rooms) exit(c *client) {
	r := c.room
	r.mu.Lock()
	last := len(r.members) - 1
	r.members[c.seat] = r.members[last]
	r.members[c.seat].seat = c.seat
	r.members[last] = nil
	r.members = r.members[:last]
	r.mu.Unlock()

	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.size--; r.size == 0 {
		delete(rs.byName, r.name)
	}
}

func (rs *rooms) get(name string) *room {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return rs.byName[name]
}

func (rs *rooms) count() int {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return len(rs.byName)
}

// headPrefix begins every head that wire.AppendHead makes.
const headPrefix = `{"room":`

// deliver hands a message to all members on this node. It never waits for one of
// them. It returns how many got it, and false if head is no head of an envelope,
// which is what anybody else with access to Redis might publish.
func (r *room) deliver(head string) (receivers int, ok bool) {
	if !strings.HasPrefix(head, headPrefix) || !utf8.ValidString(head) {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) == 0 {
		return 0, true
	}
	frame := make([]byte, 0, len(head)+tailSize)
	frame = wire.AppendTail(append(frame, head...), wire.Now())
	pm, err := websocket.NewPreparedMessage(websocket.TextMessage, frame)
	if err != nil {
		return 0, false // never for a text message
	}
	for _, c := range r.members {
		if c.send(pm) {
			receivers++
		}
	}
	return receivers, true
}

// tailSize is room for what wire.AppendTail appends.
const tailSize = 32
