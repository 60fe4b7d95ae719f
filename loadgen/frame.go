package loadgen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"unicode/utf8"
)

// A client's side of RFC 6455, section 5: frames to the server are masked, frames
// from it are not, and no extension is ever negotiated.

// opcode is a frame's kind (section 5.2).
type opcode byte

const (
	frameContinuation opcode = 0x0
	frameText         opcode = 0x1
	frameBinary       opcode = 0x2
	frameClose        opcode = 0x8
	framePing         opcode = 0x9
	framePong         opcode = 0xA
)

// maxControl is the largest payload of a control frame (section 5.5).
const maxControl = 125

// protocolError is something from the server that RFC 6455 forbids.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// errTooBig is a message above messageLimit.
var errTooBig = errors.New("message above the limit of this client")

// frame is one frame from the server. Its payload is a part of the input.
type frame struct {
	op      opcode
	fin     bool
	payload []byte
}

// parseFrame reads the frame at the start of b and returns what is behind it. ok is
// false when b does not hold the whole frame yet; need is then how long b must be
// at least.
func parseFrame(b []byte) (f frame, rest []byte, need int, ok bool, err error) {
	if len(b) < 2 {
		return f, b, 2, false, nil
	}
	f.op, f.fin = opcode(b[0]&0x0f), b[0]&0x80 != 0
	switch {
	case b[0]&0x70 != 0:
		return f, b, 0, false, protocolError("RSV bits are set, and no extension was negotiated")
	case b[1]&0x80 != 0:
		return f, b, 0, false, protocolError("the MASK bit is set in a frame from the server")
	case f.op > frameBinary && f.op < frameClose, f.op > framePong:
		return f, b, 0, false, protocolError(fmt.Sprintf("unknown opcode %d", f.op))
	case f.op >= frameClose && !f.fin:
		return f, b, 0, false, protocolError("the FIN bit of a control frame is not set")
	case f.op >= frameClose && b[1] > maxControl:
		return f, b, 0, false, protocolError("a control frame is longer than 125 bytes")
	}
	head, size := 2, uint64(b[1])
	switch size {
	case 126:
		head = 4
		if len(b) < head {
			return f, b, head, false, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return f, b, head, false, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
		if size>>63 != 0 {
			return f, b, 0, false, protocolError("a frame's length has its highest bit set")
		}
	}
	if size > messageLimit {
		return f, b, 0, false, errTooBig
	}
	if need = head + int(size); len(b) < need {
		return f, b, need, false, nil
	}
	f.payload = b[head:need:need]
	return f, b[need:], 0, true, nil
}

// appendFrame appends a final frame to the server, masked with key.
func appendFrame(dst []byte, op opcode, payload []byte, key uint32) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

// maskKey draws a masking key. The RFC wants it to be unpredictable to the text's
// author (section 5.3); ChaCha8 is.
func maskKey() uint32 { return rand.Uint32() }

// mask applies a key, whose bytes are in little-endian order, to b in place.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// parseClose reads a Close frame's payload (section 5.5.1). Without one the code
// is 1005 (section 7.1.5).
func parseClose(payload []byte) (code int, reason string, err error) {
	switch {
	case len(payload) == 0:
		return 1005, "", nil
	case len(payload) == 1:
		return 0, "", protocolError("a Close frame has half a code")
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !sendableCode(code) {
		return 0, "", protocolError(fmt.Sprintf("a Close frame has the code %d, which may not be sent", code))
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", protocolError("the reason of a Close frame is not UTF-8")
	}
	return code, string(payload[2:]), nil
}

// appendClose appends a Close frame; 1005 is one without a code.
func appendClose(dst []byte, code int) []byte {
	var payload []byte
	if code != 1005 {
		payload = binary.BigEndian.AppendUint16(nil, uint16(code))
	}
	return appendFrame(dst, frameClose, payload, maskKey())
}

// assembler puts messages together from frames, control frames let through in
// between (section 5.4). The zero value is between two messages.
type assembler struct {
	kind  opcode // of the message under way; frameContinuation between messages
	parts []byte
}

// take takes a frame. done is true when it ends a message, whose text is then valid
// until the next frame. Text is checked to be UTF-8 (section 8.1).
func (a *assembler) take(f frame) (message []byte, done bool, err error) {
	switch {
	case f.op == frameContinuation && a.kind == frameContinuation:
		return nil, false, protocolError("a continuation without a message to continue")
	case f.op != frameContinuation && a.kind != frameContinuation:
		return nil, false, protocolError("a message begins within another")
	}
	kind := f.op
	if kind == frameContinuation {
		kind = a.kind
	}
	if f.fin && f.op != frameContinuation {
		message = f.payload // the usual case: one frame, nothing copied
	} else {
		if len(a.parts)+len(f.payload) > messageLimit {
			return nil, false, errTooBig
		}
		a.kind, a.parts = kind, append(a.parts, f.payload...)
		if !f.fin {
			return nil, false, nil
		}
		message = a.parts
		a.kind, a.parts = frameContinuation, nil
	}
	if kind == frameText && !utf8.Valid(message) {
		return nil, false, protocolError("a text message is not UTF-8")
	}
	return message, true, nil
}
