package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestStampRoundTripInsideAnyFrame(t *testing.T) {
	s := Stamp{Run: 0xdeadbeef, Publisher: 7, Node: 3, Seq: 1<<32 - 1, Intended: Now()}
	enc := AppendStamp(nil, s)
	if len(enc) != StampSize {
		t.Fatalf("encoded %d bytes, StampSize is %d", len(enc), StampSize)
	}
	quoted, _ := json.Marshal(map[string]string{"text": "é" + string(enc) + " hello <b>"})
	for name, frame := range map[string][]byte{
		"bare":           enc,
		"in JSON":        quoted,
		"behind a decoy": append([]byte(stampMagic+"not a stamp "), enc...),
		"behind a false": append(corrupt(enc), enc...),
	} {
		got, ok := FindStamp(frame)
		if !ok || got != s {
			t.Errorf("%s: FindStamp = %+v, %v; want %+v", name, got, ok, s)
		}
	}
	for name, frame := range map[string][]byte{
		"empty":     nil,
		"truncated": enc[:StampSize-1],
		"corrupt":   corrupt(enc),
	} {
		if got, ok := FindStamp(frame); ok {
			t.Errorf("%s: FindStamp found %+v in a frame without a valid stamp", name, got)
		}
	}
}

// corrupt returns a copy of enc with one hexadecimal digit of the sequence changed.
func corrupt(enc []byte) []byte {
	c := bytes.Clone(enc)
	c[len(stampMagic)+20] ^= 1
	return c
}

func TestRecordPathDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendStamp(buf, Stamp{Seq: 9, Intended: Now()})
		if _, ok := FindStamp(b); !ok {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations a stamp, want 0", n)
	}
}

func TestNowAdvancesAsTime(t *testing.T) {
	a := Now()
	time.Sleep(2 * time.Millisecond)
	if d := Now() - a; d < int64(2*time.Millisecond) {
		t.Errorf("Now advanced %d ns over a sleep of 2 ms", d)
	}
}

func TestEnvelopeKeepsHostileText(t *testing.T) {
	for _, body := range []string{"", `"quotes" and \back\`, "line\nbreak\x00\x1f", "<script>", "\u2028\u2029 \u202e bidi", "日本", "bad \xff byte"} {
		e := Envelope{Room: `r"1`, From: "anna", Node: "n1", In: 1, Body: body, Out: 2}
		frame := AppendTail(AppendHead(nil, e), e.Out)
		if !json.Valid(frame) || !utf8.Valid(frame) {
			t.Fatalf("%q: not valid JSON in UTF-8: %q", body, frame)
		}
		want := e
		want.Body = strings.ToValidUTF8(body, "\uFFFD")
		if got, ok := ParseEnvelope(frame); !ok || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", body, got, ok, want)
		}
	}
	if _, ok := ParseEnvelope([]byte(`{"text":"someone else's JSON"}`)); ok {
		t.Error("a frame of another server was taken for an envelope")
	}
}

func FuzzFindStamp(f *testing.F) {
	f.Add([]byte("x"), uint32(1), uint32(2), uint8(3), uint32(4), int64(5))
	f.Add([]byte(stampMagic), uint32(0), uint32(0), uint8(0), uint32(0), int64(-1))
	f.Fuzz(func(t *testing.T, junk []byte, run, pub uint32, node uint8, seq uint32, at int64) {
		if s, ok := FindStamp(junk); ok && !bytes.Contains(junk, AppendStamp(nil, s)) {
			t.Fatalf("found %+v, whose encoding is not in the frame", s)
		}
		want := Stamp{run, pub, node, seq, at}
		if got, ok := FindStamp(AppendStamp(nil, want)); !ok || got != want {
			t.Fatalf("round trip: %+v, %v; want %+v", got, ok, want)
		}
	})
}
