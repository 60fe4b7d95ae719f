package wire

import (
	"math"
	"testing"
)

func TestFindHopsReadsTheStampsAndNotTheTexts(t *testing.T) {
	for _, row := range []struct {
		sentence string
		e        Envelope
	}{
		{"a plain message", Envelope{Room: "r1", From: "c1", Node: "n1", In: 12, Body: "hello", Out: 34}},
		{"no texts and no times", Envelope{Node: "n1"}},
		{"the largest times", Envelope{Node: "n1", In: math.MaxInt64 - 1, Out: math.MaxInt64}},
		{"a body that looks like a tail", Envelope{Node: "n1", In: 1, Body: `","out":99}`, Out: 2}},
		{"a body that is an envelope", Envelope{Node: "n1", In: 1, Body: `{"room":"x","from":"y","node":"z","in":7,"body":"","out":8}`, Out: 2}},
		{"a room that looks like the rest", Envelope{Room: `a","from":"b","node":"c","in":5,"body":"`, Node: "n1", In: 1, Out: 2}},
		{"a body that ends in backslashes", Envelope{Node: "n1", In: 1, Body: `\\\`, Out: 2}},
		{"quotes, controls and other scripts", Envelope{Room: `"\`, From: "\x00\n", Node: "n1", In: 1, Body: "日本 \xff \u2028", Out: 2}},
	} {
		frame := AppendTail(AppendHead(nil, row.e), row.e.Out)
		in, out, ok := FindHops(frame)
		if !ok || in != row.e.In || out != row.e.Out {
			t.Errorf("%s: FindHops = %d, %d, %v; want %d, %d of %s", row.sentence, in, out, ok, row.e.In, row.e.Out, frame)
		}
		for cut := range len(frame) {
			if in, out, ok := FindHops(frame[:cut]); ok {
				t.Errorf("%s: %d and %d were found in %q, which is cut off", row.sentence, in, out, frame[:cut])
			}
		}
	}
}

func TestFindHopsRefusesOtherFrames(t *testing.T) {
	for why, frame := range map[string]string{
		"an empty frame":           ``,
		"an echo":                  `hello`,
		"another server's JSON":    `{"user":"x","text":"y"}`,
		"another order":            `{"from":"b","room":"a","node":"c","in":1,"body":"","out":2}`,
		"spaces":                   `{"room": "a","from":"b","node":"c","in":1,"body":"","out":2}`,
		"a head without its tail":  `{"room":"a","from":"b","node":"c","in":1,"body":""`,
		"more behind the envelope": `{"room":"a","from":"b","node":"c","in":1,"body":"","out":2} `,
		"another field at the end": `{"room":"a","from":"b","node":"c","in":1,"body":"","out":2,"in":3}`,
		"a number in a string":     `{"room":"a","from":"b","node":"c","in":"1","body":"","out":2}`,
		"a fraction":               `{"room":"a","from":"b","node":"c","in":1.5,"body":"","out":2}`,
		"a negative number":        `{"room":"a","from":"b","node":"c","in":-1,"body":"","out":2}`,
		"no digits":                `{"room":"a","from":"b","node":"c","in":,"body":"","out":2}`,
		"more than 64 bits":        `{"room":"a","from":"b","node":"c","in":9223372036854775808,"body":"","out":2}`,
	} {
		if in, out, ok := FindHops([]byte(frame)); ok {
			t.Errorf("%s: found %d and %d in %s", why, in, out, frame)
		}
	}
}

func TestFindHopsDoesNotAllocate(t *testing.T) {
	frame := AppendTail(AppendHead(nil, Envelope{Room: "r1", From: "c1", Node: "n1", In: Now(), Body: `say "hi"`}), Now())
	if n := testing.AllocsPerRun(100, func() {
		if _, _, ok := FindHops(frame); !ok {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

// FuzzFindHops holds FindHops against the full decoder: what it finds in any frame
// is what ParseEnvelope finds, and it finds the stamps of every envelope.
func FuzzFindHops(f *testing.F) {
	f.Add([]byte(`{"room":"a","from":"b","node":"c","in":1,"body":"\\\"","out":2}`), "r", "c", "n", "hello", int64(1), int64(2))
	f.Add([]byte(`{"room":"a","from":"b","node":"c","in":01,"body":"","out":2}`), `"`, `\`, "n\n", `","out":3}`, int64(0), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, junk []byte, room, from, node, body string, in, out int64) {
		if a, b, ok := FindHops(junk); ok {
			if e, valid := ParseEnvelope(junk); valid && (e.In != a || e.Out != b) {
				t.Fatalf("FindHops reads %d and %d where ParseEnvelope reads %d and %d: %q", a, b, e.In, e.Out, junk)
			}
		}
		if in < 0 || out < 0 {
			return
		}
		frame := AppendTail(AppendHead(nil, Envelope{Room: room, From: from, Node: node, In: in, Body: body, Out: out}), out)
		if a, b, ok := FindHops(frame); !ok || a != in || b != out {
			t.Fatalf("FindHops = %d, %d, %v; want %d and %d of %q", a, b, ok, in, out, frame)
		}
	})
}
