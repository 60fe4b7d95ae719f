package wire

import (
	"bytes"
	"math"
)

// FindHops returns the two stamps of an envelope: in, when the publisher's node had
// read the message, and out, when the receiver's node began to hand it out, both in
// nanoseconds of Now. ok is false for a frame that is not exactly what AppendHead
// and AppendTail make, as one of a server that is not a chat node. It reads the
// fields where they stand and skips the texts between them, so that a body which
// looks like an envelope is not taken for one. It does not allocate.
func FindHops(frame []byte) (in, out int64, ok bool) {
	rest := frame
	for _, key := range envelopeTexts {
		if rest, ok = afterText(rest, key); !ok {
			return 0, 0, false
		}
	}
	if in, rest, ok = afterNumber(rest, inKey); !ok {
		return 0, 0, false
	}
	if rest, ok = afterText(rest, bodyKey); !ok {
		return 0, 0, false
	}
	out, rest, ok = afterNumber(rest, outKey)
	return in, out, ok && len(rest) == 1 && rest[0] == '}'
}

var (
	envelopeTexts = [][]byte{[]byte(`{"room":`), []byte(`,"from":`), []byte(`,"node":`)}
	inKey         = []byte(`,"in":`)
	bodyKey       = []byte(`,"body":`)
	outKey        = []byte(`,"out":`)
)

// afterText is what follows a key and its string; ok is false if b does not begin
// with them.
func afterText(b, key []byte) (rest []byte, ok bool) {
	if b, ok = bytes.CutPrefix(b, key); !ok || len(b) == 0 || b[0] != '"' {
		return nil, false
	}
	for b = b[1:]; ; {
		end := bytes.IndexByte(b, '"')
		if end < 0 {
			return nil, false
		}
		slashes := 0
		for slashes < end && b[end-1-slashes] == '\\' {
			slashes++
		}
		b = b[end+1:]
		// An even number of backslashes escape each other and not the quote.
		if slashes%2 == 0 {
			return b, true
		}
	}
}

// afterNumber is the value of a key, a whole number of 0 or more, and what follows
// it; ok is false if b does not begin with them.
func afterNumber(b, key []byte) (v int64, rest []byte, ok bool) {
	if b, ok = bytes.CutPrefix(b, key); !ok {
		return 0, nil, false
	}
	n := 0
	for ; n < len(b) && '0' <= b[n] && b[n] <= '9'; n++ {
		digit := int64(b[n] - '0')
		if v > (math.MaxInt64-digit)/10 {
			return 0, nil, false
		}
		v = v*10 + digit
	}
	return v, b[n:], n > 0
}
