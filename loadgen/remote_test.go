package loadgen

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestCallErrorsAreReadable(t *testing.T) {
	t.Parallel()
	vacant, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = vacant.Close()
	answer := func(text string) string {
		return listenRaw(t, func(p *peer) {
			if _, err := http.ReadRequest(p.in); err == nil {
				p.say(text)
			}
		})
	}
	const stream = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
	for _, c := range []struct{ why, addr, want string }{
		{"nobody listens", vacant.Addr().String(), "connection refused"},
		{"the worker dies before it answers", answer(""), "EOF"},
		{"it dies between two events", answer(stream + `{"progress":{"done":1}}` + "\n"), "the worker has died"},
		{"it dies within an event", answer(stream + `{"progress":{"do`), "the worker has died"},
		{"it says what is wrong", answer(stream + `{"error":"no file descriptors left"}` + "\n"), "no file descriptors left"},
		{"it answers with something else", answer(stream + "<html>\n"), "answer: invalid character"},
		{"its result is of another shape", answer(stream + `{"result":{"open":"many"}}` + "\n"), "result: "},
		{"it refuses", answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 11\r\n\r\nwrong token"), "401 Unauthorized: wrong token"},
	} {
		_, err := Call[CountResult](deadline(t), Remote{Addr: c.addr}, CommandCount, struct{}{}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "worker "+c.addr+": count: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.why, err, c.want)
		}
	}
}

// FuzzReadEvents: any answer gives a result or an error, and a result only from a
// line that holds one.
func FuzzReadEvents(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "{}\n", `{"result":{"open":3}}` + "\n", `{"result":null}` + "\n", `{"error":"x"}` + "\n", "null\n",
		`{"progress":{"done":1,"total":2}}` + "\n{}\n" + `{"result":{"open":1}}` + "\n", `{"result":{"open":3}}`, `{"result":[1]}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		events := 0
		res, err := readEvents[CountResult](strings.NewReader(string(answer)), func(*Progress) { events++ })
		if err != nil {
			if res != (CountResult{}) {
				t.Errorf("%+v beside the error %v", res, err)
			}
			return
		}
		lines := strings.SplitAfter(string(answer), "\n")
		if events >= len(lines) || !strings.HasSuffix(lines[events], "\n") {
			t.Fatalf("a result after %d events of %q", events, answer)
		}
		again, err := readEvents[CountResult](strings.NewReader(lines[events]), func(*Progress) { t.Error("an event before the result") })
		if err != nil || again != res {
			t.Errorf("the line %q reads as %+v, %v; in its place as %+v", lines[events], again, err, res)
		}
	})
}
