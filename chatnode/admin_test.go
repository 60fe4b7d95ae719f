package chatnode

import (
	"mime"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestConnectionsListsThoseThatAreOpen(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	if got := decode[Connections](t, second(n.get(t, "/connections"))); got.Open != 0 || got.Connections == nil {
		t.Errorf("an empty node lists %+v, want open 0 and an empty list", got)
	}
	a, b := n.join(t, "tea", "a"), n.join(t, "coffee", "b")
	a.say("x")
	a.hear()
	eventually(t, "both are listed", func() bool {
		return decode[Connections](t, second(n.get(t, "/connections?summary=1"))).Open == 2
	})
	got := decode[Connections](t, second(n.get(t, "/connections")))
	if got.Node != "n1" || got.Open != 2 || len(got.Connections) != 2 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []struct {
		name, room string
		p          peer
	}{{"a", "tea", a}, {"b", "coffee", b}} {
		c := got.Connections[i]
		if c.Name != want.name || c.Room != want.room || c.Remote != want.p.LocalAddr().String() {
			t.Errorf("connection %d is %+v, want %s in %s from %v", i, c, want.name, want.room, want.p.LocalAddr())
		}
		if c.AgeS < 0 || c.ReadSilence < 0 || c.WriteSilence < 0 || c.AgeS > patience.Seconds() {
			t.Errorf("connection %d has impossible times: %+v", i, c)
		}
	}
	if strings.Contains(second(n.get(t, "/connections?summary=1")), "connections\"") {
		t.Error("the summary lists connections")
	}
}

func second(_ *http.Response, body string) string { return body }

func TestPageIsSelfContainedAndLockedDown(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	for path, kind := range map[string]string{"/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css"} {
		resp, body := n.get(t, path)
		got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if resp.StatusCode != http.StatusOK || got != kind {
			t.Errorf("%s: %s, %q; want 200, %s", path, resp.Status, got, kind)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"} {
			if !strings.Contains(csp, rule) {
				t.Errorf("%s: the policy %q lacks %s", path, csp, rule)
			}
		}
		if m := regexp.MustCompile(`https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(`).FindString(body); m != "" {
			t.Errorf("%s contains %q", path, m)
		}
	}
	if got := n.status(t, "/no-such-page"); got != http.StatusNotFound {
		t.Errorf("an unknown path got %d", got)
	}
}
