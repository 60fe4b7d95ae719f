package loadgen

import (
	"slices"
	"time"

	"wsrig/internal/result"
)

// The control API. Every command is a POST of one of the specs below to
// /v1/<command> with the token as a bearer; the answer is a stream of Events, one
// JSON object a line, of which the last is a result or an error.

// Commands of the control API.
const (
	CommandBegin      = "begin"
	CommandConnect    = "connect"
	CommandIdle       = "idle"
	CommandExpect     = "expect"
	CommandPublish    = "publish"
	CommandAwait      = "await"
	CommandDisconnect = "disconnect"
	CommandCount      = "count"
	CommandFinish     = "finish"
)

// Event is one line of a command's answer. One without any field only shows that
// the worker is alive.
type Event struct {
	Progress *Progress `json:"progress,omitempty"`
	Result   any       `json:"result,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Progress is how far a command is.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
	Open  int `json:"open"` // clients connected
}

// BeginSpec starts a trial: the worker forgets everything before.
type BeginSpec struct {
	Nodes []string `json:"nodes"` // names in the order that all workers number them
	Relay string   `json:"relay"` // who gets what a client publishes; RelayRoom if ""
}

// Relay modes: to whom the server sends what a client publishes.
const (
	RelayRoom = "room" // every member of the publisher's room, the publisher included
	RelayAll  = "all"  // every client
	RelaySelf = "self" // the publisher alone: an echo server
)

// isRelay tells whether a relay mode is known; "" stands for RelayRoom.
func isRelay(mode string) bool {
	return slices.Contains([]string{"", RelayRoom, RelayAll, RelaySelf}, mode)
}

// ConnectSpec opens clients.
type ConnectSpec struct {
	URLs    []string `json:"urls"`    // client i takes number i modulo their count; see fill for what they may hold
	First   uint32   `json:"first"`   // number of the first client
	Clients int      `json:"clients"` //
	Total   int      `json:"total"`   // clients of this step over all workers, for the rooms
	Offset  int      `json:"offset"`  // of this worker's first client among them
	Rate    float64  `json:"rate"`    // handshakes a second
	// InFlight bounds the handshakes under way at once: one that is due waits until
	// another has ended, which its connect time and its schedule lag show. 0 sets no
	// limit, so that nothing waits for the server.
	InFlight    int                 `json:"in_flight,omitempty"`
	Rooms       int                 `json:"rooms"`
	Seed        uint64              `json:"seed"`
	Keepalive   Keepalive           `json:"keepalive"`
	NoPong      bool                `json:"no_pong"`
	Timeout     time.Duration       `json:"timeout"`
	Header      map[string][]string `json:"header"`
	Subprotocol []string            `json:"subprotocol"`
	Sources     []string            `json:"sources"` // local IP addresses, taken in turn by client number; none lets the kernel choose
	Insecure    bool                `json:"insecure"`
	CAFile      string              `json:"ca_file"`
	// Cookies are NAME=VALUE each, for the host of the client's URL. CookieJar is a
	// file of more, and Visit a page that each client gets before its handshake, with a
	// cookie jar of its own. See fill for what values of Header, Cookies and Visit may
	// hold.
	Cookies   []string `json:"cookies,omitempty"`
	CookieJar string   `json:"cookie_jar,omitempty"`
	Visit     string   `json:"visit,omitempty"`
}

// Keepalive is what keeps an idle connection in use.
type Keepalive struct {
	Kind  string        `json:"kind"` // none, client-ping or node-ping
	Every time.Duration `json:"every"`
}

// Keepalive kinds.
const (
	KeepaliveNone   = "none"
	KeepaliveClient = "client-ping"
	KeepaliveNode   = "node-ping"
)

// ConnectResult is how the handshakes of a connect command ended.
type ConnectResult struct {
	OK       int            `json:"ok"`
	Outcomes map[string]int `json:"outcomes"`
}

// IdleSpec lets all clients be.
type IdleSpec struct {
	For         time.Duration `json:"for"`
	UntilClosed bool          `json:"until_closed"` // end as soon as no client is open
	Keepalive   *Keepalive    `json:"keepalive"`    // from here on; nil changes nothing
}

// IdleResult is the window that was watched.
type IdleResult struct {
	Start   int64 `json:"start"` // wire time
	End     int64 `json:"end"`   // wire time
	Clients int   `json:"clients"`
	Left    int   `json:"left"` // still open at the end
}

// ExpectSpec announces a publish command. All workers must know of it before the
// first of them publishes: a message of a phase that a worker does not know is
// another's to it.
type ExpectSpec struct {
	Phase uint32        `json:"phase"` // unique among all publish commands of a run
	Grace time.Duration `json:"grace"` // a delivery later than this after its intended time is late
	// Due is how many messages all workers publish at the most. Up to there, the
	// last receiver of each is kept; 0 keeps none.
	Due int `json:"due"`
	// Apart has the phase stand for itself: its schedule lag, its doubts about the
	// generator and its delivery latency are in the results of publish and await, and
	// what it shows of the generator does not count for the trial.
	Apart bool `json:"apart,omitempty"`
}

// PublishSpec publishes, in open loop if it does not say otherwise. Its phase need
// not be expected when no other worker publishes.
type PublishSpec struct {
	Phase      uint32        `json:"phase"` // see ExpectSpec
	Rate       float64       `json:"rate"`  // messages a second over all publishers
	For        time.Duration `json:"for"`
	Arrival    string        `json:"arrival"` // constant or poisson; the closed loop has none
	Loop       string        `json:"loop"`    // LoopOpen, which "" stands for, or LoopClosed
	Seed       uint64        `json:"seed"`
	Size       int           `json:"size"`       // bytes of a message's text, stamp included
	Publishers int           `json:"publishers"` // 0: one for each room
	// FirstTurn is how many publishers other workers have before this one's: they are
	// taken from the rooms in turn, and this worker goes on where those end.
	FirstTurn int           `json:"first_turn,omitempty"`
	Grace     time.Duration `json:"grace"` // see ExpectSpec
}

// Loops of a publish command.
const (
	// LoopOpen sends each message when it is due, whatever became of those before
	// it.
	LoopOpen = "open"
	// LoopClosed has each publisher wait for its own message to come back before it
	// sends the next. A stall then holds up the messages that would have shown it,
	// which is coordinated omission: results say which loop they are of.
	LoopClosed = "closed"
)

// PublishResult is what was sent.
type PublishResult struct {
	Phase   uint32        `json:"phase"`
	Loop    string        `json:"loop"`
	For     time.Duration `json:"for"`   // length of the schedule
	Begin   int64         `json:"begin"` // wire time at which the schedule began
	Asked   float64       `json:"asked"` // arrivals a second
	Due     int64         `json:"due"`   // arrivals of the schedule
	Sent    int64         `json:"sent"`
	Dropped int64         `json:"dropped"` // arrivals never sent: no publisher could take them
	First   int64         `json:"first"`   // wire time of the first and last send; 0 without one
	Last    int64         `json:"last"`
	Logs    []PublishLog  `json:"logs"`
	// CPU is the share of the cores it may use that the generator used meanwhile.
	CPU        float64           `json:"cpu_share"`
	Lag        *result.Histogram `json:"lag,omitempty"`        // of the schedule, in ns; of a phase apart only
	Saturation []string          `json:"saturation,omitempty"` // reasons to doubt the generator; of a phase apart only
}

// AwaitSpec tells a worker what all workers have sent, and to wait until its own
// clients have got their share of it, Grace at most.
type AwaitSpec struct {
	Logs  []PublishLog  `json:"logs"`
	Grace time.Duration `json:"grace"`
	Apart uint32        `json:"apart,omitempty"` // wait for this phase alone, which is one apart; 0 for all
}

// AwaitResult says how much came.
type AwaitResult struct {
	Owed     int64             `json:"owed"`
	Received int64             `json:"received"`
	Latency  *result.Histogram `json:"latency,omitempty"` // of deliveries, in ns; of a phase apart only
}

// DisconnectSpec ends clients with a closing handshake.
type DisconnectSpec struct {
	Clients int `json:"clients"` // how many, in the order of their numbers; 0 for all
	Code    int `json:"code"`
}

// DisconnectResult counts what was closed.
type DisconnectResult struct {
	Closed int `json:"closed"`
}

// CountResult is the answer to count.
type CountResult struct {
	Open int `json:"open"` // clients connected now
}

// Snapshot is everything a worker recorded in a trial. Finish returns it, after
// which no client is left.
type Snapshot struct {
	Start      int64          `json:"start"` // wire time of begin
	End        int64          `json:"end"`   // wire time of finish
	Engine     string         `json:"engine"`
	Handshakes map[string]int `json:"handshakes"`
	// Failures are the first error of each outcome of a handshake but the 101.
	Failures map[string]FirstError `json:"failures"`
	// FirstDue is the wire time at which the first handshake was due, and LastOK that
	// of the last 101; 0 without one.
	FirstDue  int64            `json:"first_due"`
	LastOK    int64            `json:"last_ok"`
	Connect   result.Histogram `json:"connect"`
	Upgrade   result.Histogram `json:"upgrade"`
	Lag       result.Histogram `json:"lag"`
	Pairs     []NodePair       `json:"pairs"`
	Intervals []IntervalCount  `json:"intervals"`
	Open      []OpenSample     `json:"open"`
	Ledger    []LedgerBucket   `json:"ledger"`
	Closes    []Close          `json:"closes"`
	// Hops are the parts of the delivery latency by metric name, for servers that
	// stamp them; see wire.Envelope.
	Hops         map[string]result.Histogram `json:"hops"`
	LastReceipts []LastReceipts              `json:"last_receipts"`
	Foreign      int64                       `json:"foreign"`    // text frames that carried no stamp of this trial
	Saturation   []string                    `json:"saturation"` // reasons to doubt the generator
}

// OpenSample is the clients connected at one moment.
type OpenSample struct {
	At     float64        `json:"at_s"` // since begin; the end of a second, but for the last
	Open   int            `json:"open"`
	ByNode map[string]int `json:"by_node"`
}
