package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Envelope is what a node delivers to the members of a room, as one JSON object.
// The body is opaque: exactly the text the sender sent.
type Envelope struct {
	Room string `json:"room"`
	From string `json:"from"` // name of the sender
	Node string `json:"node"` // node that took the message from its sender
	In   int64  `json:"in"`   // nanoseconds of Now when that node had read it
	Body string `json:"body"`
	Out  int64  `json:"out"` // nanoseconds of Now when the delivering node began to hand it out
}

// AppendHead appends the envelope without its Out field and without the closing
// brace. This is what travels over the bus: the text is escaped once, by the node
// that took the message, and every delivering node only appends its tail.
func AppendHead(dst []byte, e Envelope) []byte {
	dst = append(dst, `{"room":`...)
	dst = appendString(dst, e.Room)
	dst = append(dst, `,"from":`...)
	dst = appendString(dst, e.From)
	dst = append(dst, `,"node":`...)
	dst = appendString(dst, e.Node)
	dst = append(dst, `,"in":`...)
	dst = strconv.AppendInt(dst, e.In, 10)
	dst = append(dst, `,"body":`...)
	return appendString(dst, e.Body)
}

// AppendTail appends what completes a head: the Out field and the closing brace.
func AppendTail(dst []byte, out int64) []byte {
	dst = append(dst, `,"out":`...)
	dst = strconv.AppendInt(dst, out, 10)
	return append(dst, '}')
}

// ParseEnvelope decodes a delivered frame. ok is false when the frame is no
// envelope, as from a server that is not a chat node.
func ParseEnvelope(frame []byte) (e Envelope, ok bool) {
	if len(frame) == 0 || frame[0] != '{' {
		return Envelope{}, false
	}
	if err := json.Unmarshal(frame, &e); err != nil || e.Node == "" {
		return Envelope{}, false
	}
	return e, true
}

// appendString appends s as a JSON string (RFC 8259 section 7). Only what must be
// escaped is: quote, backslash and control characters, plus the two line
// separators that JavaScript once refused. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(dst, "\uFFFD"...)
			case r == '\u2028' || r == '\u2029':
				dst = append(dst, `\u202`...)
				dst = append(dst, hexDigits[r&15])
			default:
				dst = append(dst, s[i:i+size]...)
			}
			i += size
		}
	}
	return append(dst, '"')
}
