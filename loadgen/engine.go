package loadgen

import (
	"context"
	"net/http"
	"time"
)

// Engine opens and serves WebSocket connections. An engine calls a connection's
// Handler from one goroutine or thread at a time.
type Engine interface {
	// Dial makes one handshake. On success h.Open has been called, and h gets all
	// that follows until h.End; otherwise h is never called and the error is a
	// *HandshakeError.
	Dial(ctx context.Context, d Dial, h Handler) error
	// Wait returns when every connection has ended and told its handler so.
	Wait()
	Name() string
}

// Dial says what to connect to and how.
type Dial struct {
	URL         string // ws:// or wss://
	Header      http.Header
	Subprotocol []string
	Timeout     time.Duration // for the whole handshake
	NoPong      bool          // never answer a ping
	Insecure    bool          // do not verify the server's certificate
	CAFile      string        // PEM file of authorities to trust beside the system's
}

// Handshake is what a successful handshake told.
type Handshake struct {
	Connect   time.Duration // TCP connect
	Upgrade   time.Duration // from the connected socket (TLS included) to the 101
	At        int64         // wire time when the 101 had been read
	LocalPort int           // the client's TCP port
	Header    http.Header   // of the 101
}

// Conn is an open connection. Its methods may be called from any goroutine and do
// not block longer than the given deadline or one second.
type Conn interface {
	// SendText sends one text frame.
	SendText(payload []byte) error
	// Ping sends a ping frame.
	Ping() error
	// Close begins the closing handshake with a code; Handler.End follows when
	// the peer has answered, or after the timeout.
	Close(code int, timeout time.Duration)
	// Abort ends the connection at once; the peer sees a reset.
	Abort()
}

// Handler takes what a connection receives.
type Handler interface {
	// Open is the first call: the handshake is done.
	Open(c Conn, hs Handshake)
	// Text is one text message. payload is valid until Text returns.
	Text(payload []byte, at int64)
	// Heard is called for every read that brought bytes, control frames included.
	// Said is called for every write.
	Heard(at int64)
	Said(at int64)
	// End is the last call, exactly once.
	End(e End)
}

// End kinds: what the client saw of the end of its connection.
const (
	EndCloseFrame = "close frame" // the peer's Close, RFC 6455 section 5.5.1
	EndFIN        = "FIN"         // end of the stream without a Close frame; reported as 1006 elsewhere
	EndRST        = "RST"         // connection reset
	EndProtocol   = "protocol error"
	EndError      = "error"
	EndOpen       = "open" // still open when the trial ended
)

// End is how a connection ended, as its client saw it.
type End struct {
	Kind string `json:"kind"`
	Code int    `json:"code,omitempty"` // of the Close frame
	Text string `json:"text,omitempty"` // reason in the frame, or the error
	At   int64  `json:"at"`             // wire time
	// Asked says that this client began it (Close or Abort).
	Asked bool `json:"asked,omitempty"`
}

// HandshakeError is a handshake that did not end in a 101.
type HandshakeError struct {
	Outcome string // "HTTP 503", "refused", "timeout", "reset", "EOF before answer", ...
	Err     error
}

const outcomeOK = "101"

// Error is the outcome with its cause.
func (e *HandshakeError) Error() string { return "handshake: " + e.Outcome + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }
