package chatnode

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestHandshakesAreChecked(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	for _, c := range []struct {
		why    string
		query  string
		header http.Header
		status int
		reason string
	}{
		{"everything has a default", "", nil, 101, ""},
		{"a name may be any text", "name=" + url.QueryEscape("日本 \u202e <b>"), nil, 101, ""},
		{"64 bytes are allowed", "room=" + strings.Repeat("r", 64), nil, 101, ""},
		{"65 bytes are too long", "room=" + strings.Repeat("r", 65), nil, 400, "room is 65 bytes long"},
		{"a name is UTF-8", "name=%ff", nil, 400, "name is not UTF-8"},
		{"a line break is a control character", "name=a%0ab", nil, 400, "control character"},
		{"both reasons are given", "name=%ff&room=%00", nil, 400, "room contains a control character\nname is not UTF-8"},
		{"the node's own host is a good origin", "", http.Header{"Origin": {"http://" + n.addr}}, 101, ""},
		{"another host is not", "", http.Header{"Origin": {"http://evil.example"}}, 403, "http://evil.example"},
		{"an unreadable origin is not", "", http.Header{"Origin": {"http://[::1"}}, 403, "not allowed"},
	} {
		ws, resp, err := websocket.DefaultDialer.Dial("ws://"+n.addr+"/ws?"+c.query, c.header)
		if resp == nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		if ws != nil {
			ws.Close()
		}
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.why, resp.StatusCode, c.status)
		}
		if c.reason != "" {
			body := make([]byte, 512)
			k, _ := resp.Body.Read(body)
			if !strings.Contains(string(body[:k]), c.reason) {
				t.Errorf("%s: the answer says %q, want %q in it", c.why, body[:k], c.reason)
			}
		}
	}
	for outcome, want := range map[string]float64{"ok": 4, "bad request": 4, "forbidden origin": 2} {
		if got := n.metric(t, `chatnode_handshakes_total{outcome="`+outcome+`"}`); got != want {
			t.Errorf("%v handshakes %q counted, want %v", got, outcome, want)
		}
	}
}

func TestPlainRequestForTheWebSocketSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	resp, body := n.get(t, "/ws")
	if resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" || !strings.Contains(body, "proxy") {
		t.Errorf("got %v %q", resp.Status, body)
	}
	req, err := http.NewRequest("GET", "http://"+n.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"12"}}
	if resp, err = plain.Do(req); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("an old version got %v, want 400 that names version 13", resp.Status)
	}
	// A refused handshake leaves nothing behind.
	for _, sample := range []string{"chatnode_connections_open", "chatnode_rooms"} {
		if got := n.metric(t, sample); got != 0 {
			t.Errorf("%s is %v", sample, got)
		}
	}
}

func TestMaxConnectionsRefusesAndFreesPlaces(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.MaxConnections = 2 })
	a := n.join(t, "r", "a")
	n.join(t, "r", "b")
	_, resp, err := websocket.DefaultDialer.Dial(n.url("r", "c"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third client got %v, %v; want 503 with Retry-After", resp, err)
	}
	if got := n.metric(t, `chatnode_handshakes_total{outcome="full"}`); got != 1 {
		t.Errorf("%v handshakes counted as full, want 1", got)
	}
	a.Close()
	n.awaitMetric(t, "chatnode_connections_open", 1)
	n.join(t, "r", "c")
}

func TestOriginList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allowed string // comma separated
		origin  string
		want    bool
	}{
		{"", "", true}, // programs send none
		{"", "https://node.example:8443", true},
		{"", "https://node.example", false}, // another port
		{"*", "https://anything.example", true},
		{"chat.example", "https://chat.example", true},
		{"chat.example", "http://chat.example:8080", true},
		{"CHAT.example", "https://chat.EXAMPLE", true},
		{"chat.example", "https://chat.example.evil.example", false},
		{"chat.example", "https://xchat.example", false},
		{"chat.example:443", "https://chat.example", true}, // the port of its scheme
		{"chat.example:8443", "https://chat.example", false},
		{"https://chat.example", "https://chat.example", true},
		{"https://chat.example", "http://chat.example", false},
		{"https://chat.example", "https://chat.example:8443", false},
		{"a.example,b.example", "http://b.example", true},
		{"chat.example", "null", false}, // what browsers send for opaque origins
	} {
		var list []origin
		for _, s := range strings.FieldsFunc(c.allowed, func(r rune) bool { return r == ',' }) {
			o, err := parseOrigin(s)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, o)
		}
		r := &http.Request{Host: "node.example:8443", Header: http.Header{}}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got := originAllowed(r, list); got != c.want {
			t.Errorf("list %q, origin %q: allowed %v, want %v", c.allowed, c.origin, got, c.want)
		}
	}
}

func TestHelloComesFirstWhereAskedFor(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.Name = "n7" })
	ws, _, err := websocket.DefaultDialer.Dial(n.url("r", "browser")+"&hello=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if _, frame, err := ws.ReadMessage(); err != nil || string(frame) != `{"hello":{"node":"n7","limit":65536}}` {
		t.Errorf("the first frame is %q, %v", frame, err)
	}
	p := peer{ws, t}
	p.say("x")
	if e := p.hear(); e.Body != "x" {
		t.Errorf("heard %+v", e)
	}
}
