package wire

import (
	"bytes"
	"encoding/json"
	"log/slog"
)

// ClosedMsg is the msg of the log line in which a node reports an ended
// connection; see Closed.
const ClosedMsg = "closed"

// Who moved first to end a connection.
const (
	ByNode = "node" // the node that writes the line
	ByPeer = "peer" // the other end of its TCP connection: the client, or a proxy
)

// What the first move was.
const (
	KindCloseFrame = "close frame" // RFC 6455 section 5.5.1
	KindFIN        = "FIN"         // the stream ended without a close frame
	KindRST        = "RST"         // the connection was reset
	KindError      = "error"       // any other failure of the socket, such as a TCP timeout
)

// Why a node's connection ended. Close codes are those of RFC 6455 section 7.4.1
// and of the IANA registry that it opened.
const (
	CauseDrain         = "drain"           // node: close frame 1012, or 1001 if so configured
	CauseSlowConsumer  = "slow consumer"   // node: close frame 1008
	CausePongTimeout   = "pong timeout"    // node: close frame 1008
	CauseMessageTooBig = "message too big" // node: close frame 1009
	CauseProtocolError = "protocol error"  // node: close frame 1002
	CauseBinaryFrame   = "binary frame"    // node: close frame 1003
	CauseNotUTF8       = "not UTF-8"       // node: close frame 1007
	CauseWriteTimeout  = "write timeout"   // node: RST, as nothing more could be sent
	CauseClosedByPeer  = "closed by peer"  // peer: any kind
)

// Closed is the line that a node logs for every ended connection. It is how the
// rig knows, from the node's side, who ended a connection, how and when.
type Closed struct {
	Name         string  `json:"name"`            // of the client
	Room         string  `json:"room"`            // it was in
	Remote       string  `json:"remote"`          // TCP address of the peer, host:port
	By           string  `json:"by"`              // ByNode or ByPeer
	Kind         string  `json:"kind"`            // one of the Kind constants
	Code         int     `json:"code"`            // of the close frame, 1005 when it had none; 0 without a frame
	Cause        string  `json:"cause"`           // one of the Cause constants
	Detail       string  `json:"detail"`          // for people: the protocol error, the reason of the peer; may be ""
	AgeS         float64 `json:"age_s"`           // seconds from the 101 to the first move
	ReadSilence  float64 `json:"read_silence_s"`  // seconds from the last byte read to the first move
	WriteSilence float64 `json:"write_silence_s"` // seconds from the last byte written to the first move
	At           int64   `json:"at"`              // nanoseconds of Now at the first move
}

// Attrs are the attributes to log under ClosedMsg; ParseClosed reads them back.
func (c Closed) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("name", c.Name),
		slog.String("room", c.Room),
		slog.String("remote", c.Remote),
		slog.String("by", c.By),
		slog.String("kind", c.Kind),
		slog.Int("code", c.Code),
		slog.String("cause", c.Cause),
		slog.String("detail", c.Detail),
		slog.Float64("age_s", c.AgeS),
		slog.Float64("read_silence_s", c.ReadSilence),
		slog.Float64("write_silence_s", c.WriteSilence),
		slog.Int64("at", c.At),
	}
}

// ParseClosed reads one line of a node's log. ok is false for every line that does
// not report an ended connection, a damaged one included.
func ParseClosed(line []byte) (c Closed, ok bool) {
	// Most lines of a log are others; only candidates are decoded.
	if !bytes.Contains(line, []byte(`"msg":"`+ClosedMsg+`"`)) {
		return Closed{}, false
	}
	var l struct {
		Msg string `json:"msg"`
		Closed
	}
	if err := json.Unmarshal(line, &l); err != nil || l.Msg != ClosedMsg || l.By == "" {
		return Closed{}, false
	}
	return l.Closed, true
}
