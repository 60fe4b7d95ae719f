package loadgen

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// Engine opens and serves WebSocket connections. An engine calls a connection's
// Handler from one goroutine or thread at a time.
type Engine interface {
	// Dial makes one handshake. On success h.Open has been called, and h gets all
	// that follows until h.End; otherwise h is never called and the error is a
	// *HandshakeError.
	Dial(ctx context.Context, d Dial, h Handler) error
	// Wait returns when every connection has ended and told its handler so. No
	// Dial may be under way.
	Wait()
	// Name is what results call the engine by.
	Name() string
}

// Dial says what to connect to and how. The engine only reads it, so that many
// dials may share one header. TCP keepalive (SO_KEEPALIVE) is off: an idle client
// must be idle.
type Dial struct {
	URL         string // ws:// or wss://
	Header      http.Header
	Subprotocol []string
	Timeout     time.Duration // for the whole handshake
	NoPong      bool          // never answer a ping
	Source      netip.Addr    // local address to connect from; the zero Addr lets the kernel choose
	Insecure    bool          // do not verify the server's certificate
	CAFile      string        // PEM file of authorities to trust beside the system's
}

// Handshake is what a successful handshake told.
type Handshake struct {
	Connect time.Duration  // TCP connect
	Upgrade time.Duration  // from the connected socket to the 101, TLS included
	At      int64          // wire time when the 101 had been read
	Local   netip.AddrPort // the client's TCP address
	Header  http.Header    // of the 101
}

// Conn is an open connection. Its methods may be called from any goroutine and do
// not block longer than the given deadline or one second.
type Conn interface {
	// SendText sends one text message. After an error the message may have gone
	// out in part: the connection cannot send any more.
	SendText(payload []byte) error
	// Ping sends a ping frame.
	Ping() error
	// Close begins the closing handshake (RFC 6455 section 7.1.2) with a code;
	// Handler.End follows when the peer has answered, or after the timeout.
	Close(code int, timeout time.Duration)
	// Abort ends the connection at once; the peer sees a reset.
	Abort()
}

// PromptConn is a Conn whose SendText and Ping never wait: what the kernel does not
// take at once is kept and sent later.
type PromptConn interface {
	Conn
	prompt()
}

// Handler takes what a connection receives.
type Handler interface {
	// Open is the first call: the handshake is done.
	Open(c Conn, hs Handshake)
	// Text is one message, read at wire time at. payload is valid until Text
	// returns. Binary messages come here too: some servers relay text in them.
	Text(payload []byte, at int64)
	// Heard is called for every read that brought bytes, control frames included,
	// with its wire time, but not for the read whose Close frame ends the
	// connection: silence is what went before it. It may be told after the
	// messages it brought.
	Heard(at int64)
	// Said is called for every write, from the goroutine that writes, except for
	// the answer to the peer's Close frame.
	Said(at int64)
	// End is the last call, exactly once.
	End(e End)
}

// End kinds: what the client saw of the end of its connection.
const (
	EndCloseFrame = "close frame"    // the peer's Close, RFC 6455 section 5.5.1
	EndFIN        = "FIN"            // end of the stream without a Close frame; reported as 1006 elsewhere
	EndRST        = "RST"            // connection reset
	EndProtocol   = "protocol error" // the peer sent what RFC 6455 forbids
	EndError      = "error"          // anything else: ended here, no answer to a Close frame, ...
	EndOpen       = "open"           // still open when the trial ended
)

// End is how a connection ended, as its client saw it.
type End struct {
	Kind string `json:"kind"`
	Code int    `json:"code,omitempty"` // of the Close frame
	Text string `json:"text,omitempty"` // reason in the frame, or the error
	At   int64  `json:"at"`             // wire time, of the Close frame where there is one
	// Asked says that this client began it (Close or Abort).
	Asked bool `json:"asked,omitempty"`
}

// HandshakeError is a handshake that did not end in a 101.
type HandshakeError struct {
	Outcome string // "HTTP 503" or one of the outcomes
	Err     error
}

// Outcomes of a handshake, which results count. An HTTP answer other than 101 is
// "HTTP " with its status.
const (
	outcomeOK          = "101"
	outcomeBad101      = "invalid 101" // its headers break RFC 6455 section 4.1
	outcomeRefused     = "refused"
	outcomeReset       = "reset"
	outcomeTimeout     = "timeout"
	outcomeEOF         = "EOF before answer"
	outcomeTLS         = "TLS"
	outcomeName        = "name not found"
	outcomeUnreachable = "unreachable"
	outcomeNoPort      = "no local port"
	outcomeNoFD        = "no file descriptor"
	outcomeCancelled   = "cancelled" // this run was told to stop
	outcomeOther       = "error"
)

// Error is the outcome with its cause.
func (e *HandshakeError) Error() string { return "handshake: " + e.Outcome + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }
