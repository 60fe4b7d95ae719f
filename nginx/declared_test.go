package nginx

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

func declared(text, path string) (string, float64, error) {
	d, err := Driver{}.Declared(testbed.Config{Source: testbed.Source{Name: "x.conf", Text: text, Own: true}}, path)
	return d.Where + " " + d.Why, d.IdleTimeout, err
}

func TestDeclaredTakesTheNearestProxyReadTimeout(t *testing.T) {
	for _, row := range []struct {
		says, http, server, location string
		idle                         float64
		where                        string
	}{
		{"of the location", "proxy_read_timeout 3;", "proxy_read_timeout 2;", "proxy_read_timeout 1;", 1, "x.conf:3 (location /)"},
		{"of the server", "proxy_read_timeout 3;", "proxy_read_timeout 2;", "", 2, "x.conf:2 (server)"},
		{"of http", "proxy_read_timeout 3;", "", "", 3, "x.conf:1 (http)"},
		{"built in", "", "", "", 60, "built-in default"},
		{"the others do not matter", "keepalive_timeout 1;", "send_timeout 1;", "proxy_send_timeout 1; proxy_connect_timeout 1;", 60, "built-in default"},
	} {
		text := fmt.Sprintf("http { %s\nserver { %s\nlocation / { proxy_pass http://a; %s } } }", row.http, row.server, row.location)
		where, idle, err := declared(text, "/ws")
		if err != nil || idle != row.idle || !strings.HasPrefix(where, row.where) {
			t.Errorf("%s: %v at %q, %v, want %v at %s", row.says, idle, where, err, row.idle, row.where)
		}
	}
}

func TestLocationIsChosenAsNginxDoes(t *testing.T) {
	// Each location has a timeout of its own, which tells it.
	const locations = `
	location / { proxy_pass http://a; proxy_read_timeout 1; }
	location = /ws { proxy_pass http://a; proxy_read_timeout 2; }
	location /ws/ { proxy_pass http://a; proxy_read_timeout 3; }
	location ^~ /static/ { proxy_pass http://a; proxy_read_timeout 4;
		location ~ deep { proxy_pass http://a; proxy_read_timeout 5; } }
	location ~ \.php$ { proxy_pass http://a; proxy_read_timeout 6; }
	location ~* /CHAT { proxy_pass http://a; proxy_read_timeout 7; }
	location ~ /chat { proxy_pass http://a; proxy_read_timeout 8; }
	location /outer/ { location /outer/inner/ { proxy_pass http://a; proxy_read_timeout 9; } }
	location =/tight { proxy_pass http://a; proxy_read_timeout 10; }
	location /empty { return 404; }
	location "/two words" { proxy_pass http://a; proxy_read_timeout 11; }
	location /if { if ($http_upgrade) { proxy_pass http://a; } proxy_read_timeout 12; }
	location @named { proxy_pass http://a; proxy_read_timeout 13; }
	location /slash/ { proxy_pass http://a; }
	`
	for _, row := range []struct {
		says, path string
		want       float64
		err        string
	}{
		{"the shortest prefix is left for everything else", "/other", 1, ""},
		{"an exact name comes first, and the query does not count", "/ws?room=1", 2, ""},
		{"the longest prefix", "/ws/room", 3, ""},
		{"^~ keeps regular expressions out", "/static/x.php", 4, ""},
		{"but not those inside it", "/static/deep.php", 5, ""},
		{"a regular expression beats a prefix", "/ws/x.php", 6, ""},
		{"the first that matches, ~* in either case", "/chat", 7, ""},
		{"a location in a location", "/outer/inner/x", 9, ""},
		{"a regular expression outside beats a prefix inside", "/outer/inner/x.php", 6, ""},
		{"a modifier close to the name", "/tight", 10, ""},
		{"a quoted name", "/two words", 11, ""},
		{"proxy_pass in an if", "/if", 12, ""},
		{"no proxy_pass", "/empty", 0, "location /empty is the location for /empty and has no proxy_pass"},
		{"no slash at the end is redirected", "/slash", 0, "answers /slash with a redirect to /slash/"},
	} {
		_, idle, err := declared("http { server { "+locations+" } }", row.path)
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: %v, want %q", row.says, err, row.err)
			}
			continue
		}
		if err != nil || idle != row.want {
			t.Errorf("%s: %s is declared %v, %v, want %v", row.says, row.path, idle, err, row.want)
		}
	}
	_, _, err := declared("http { server { location ~ ^/(?!api) { proxy_pass http://a; } } }", "/ws")
	if err == nil || !strings.Contains(err.Error(), "x.conf:1: location ~ ^/(?!api): this regular expression is beyond") {
		t.Errorf("lookahead: %v", err)
	}
}

func TestDeclaredWarnsWhenUpgradeIsNotPassedOn(t *testing.T) {
	const own = "proxy_set_header Upgrade $http_upgrade;"
	for _, row := range []struct {
		says, server, location string
		warns                  bool
	}{
		{"nowhere", "", "", true},
		{"in the location", "", own, false},
		{"inherited", own, "", false},
		{"one header of its own loses the inherited ones", own, "proxy_set_header Host $host;", true},
	} {
		why, _, err := declared("http { server { "+row.server+" location / { proxy_pass http://a; "+row.location+" } } }", "/ws")
		if err != nil || strings.Contains(why, "no handshake can succeed") != row.warns {
			t.Errorf("%s: %q, %v", row.says, why, err)
		}
	}
}

func TestTimesAreReadAsNginxReadsThem(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"60": time.Minute, "0": 0, "1500ms": 1500 * time.Millisecond, "1m30s": 90 * time.Second, "1h 30m": 90 * time.Minute,
		"1s500ms": 1500 * time.Millisecond, "2d": 48 * time.Hour, "1w": 168 * time.Hour, "1h30": time.Hour + 30*time.Second,
	} {
		if got, err := parseTime(in); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "s", "5 sec", "30s1h", "1s1s", "-1", "1.5s", "1M", "99999999999999999999s"} {
		if got, err := parseTime(bad); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}

func TestDeclaredOfShippedVariantsNamesTheLineOfTheVariantsFile(t *testing.T) {
	for name, idle := range map[string]float64{"round-robin": 3600, "least-conn": 3600, "source-hash": 3600, "short-read": 2, "defaults": 3} {
		src, err := Driver{}.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Driver{}.Render(src, fixedInput(t, src, 5))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Driver{}.Declared(cfg, "/ws")
		if err != nil || d.IdleTimeout != idle {
			t.Errorf("%s: %+v, %v, want %v", name, d, err, idle)
		}
		if strings.Contains(d.Why, "no handshake can succeed") {
			t.Errorf("%s does not pass Upgrade on", name)
		}
		found := false
		for i, l := range strings.Split(src.Text, "\n") {
			found = found || strings.HasPrefix(strings.TrimSpace(l), "proxy_read_timeout ") && strings.HasPrefix(d.Where, name+".conf:"+strconv.Itoa(i+1)+" ")
		}
		if !found {
			t.Errorf("%s: %q is not a line with proxy_read_timeout", name, d.Where)
		}
	}
}
