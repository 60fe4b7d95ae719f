package wire

import (
	"bytes"
	"hash/crc32"
)

// Stamp identifies one published message and the time it was due.
type Stamp struct {
	Run       uint32 // trial the message belongs to; another run's messages are ignored
	Publisher uint32 // client that published, unique within the run
	Node      uint8  // publisher's node, an index the run agreed on; 0 is unknown
	Seq       uint32 // 0, 1, 2, ... per publisher
	Intended  int64  // nanoseconds of Now when the message was due (not when it was sent)
}

// StampSize is the length of an encoded Stamp in bytes.
const StampSize = len(stampMagic) + 8 + 8 + 2 + 8 + 16 + 8

// The stamp is lower-case hexadecimal behind a magic word. None of its bytes is
// changed by JSON, HTML or URL escaping, so a server may wrap the text as it
// likes. The CRC keeps a text that merely looks like a stamp from being counted.
const stampMagic = "wsrig1."

const hexDigits = "0123456789abcdef"

// AppendStamp appends the encoding of s to dst. It allocates only to grow dst.
func AppendStamp(dst []byte, s Stamp) []byte {
	start := len(dst)
	dst = append(dst, stampMagic...)
	dst = appendHex(dst, uint64(s.Run), 8)
	dst = appendHex(dst, uint64(s.Publisher), 8)
	dst = appendHex(dst, uint64(s.Node), 2)
	dst = appendHex(dst, uint64(s.Seq), 8)
	dst = appendHex(dst, uint64(s.Intended), 16)
	return appendHex(dst, uint64(crc32.ChecksumIEEE(dst[start:])), 8)
}

// FindStamp returns the first valid stamp anywhere in frame. It does not allocate.
func FindStamp(frame []byte) (Stamp, bool) {
	for {
		i := bytes.Index(frame, magicBytes)
		if i < 0 || len(frame)-i < StampSize {
			return Stamp{}, false
		}
		if s, ok := parseStamp(frame[i : i+StampSize]); ok {
			return s, true
		}
		frame = frame[i+len(stampMagic):]
	}
}

var magicBytes = []byte(stampMagic)

func parseStamp(b []byte) (Stamp, bool) {
	body, sum := b[:StampSize-8], b[StampSize-8:]
	want, ok := parseHex(sum)
	if !ok || uint32(want) != crc32.ChecksumIEEE(body) {
		return Stamp{}, false
	}
	p := body[len(stampMagic):]
	var fields [5]uint64
	for i, width := range [5]int{8, 8, 2, 8, 16} {
		if fields[i], ok = parseHex(p[:width]); !ok {
			return Stamp{}, false
		}
		p = p[width:]
	}
	return Stamp{
		Run:       uint32(fields[0]),
		Publisher: uint32(fields[1]),
		Node:      uint8(fields[2]),
		Seq:       uint32(fields[3]),
		Intended:  int64(fields[4]),
	}, true
}

func appendHex(dst []byte, v uint64, width int) []byte {
	for shift := (width - 1) * 4; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[v>>shift&15])
	}
	return dst
}

func parseHex(b []byte) (uint64, bool) {
	var v uint64
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
