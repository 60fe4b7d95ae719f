package loadgen

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// cookieFile writes a cookie file and returns its path.
func cookieFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cookies.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sentTo is the Cookie header of client 7 in room 3 for a URL, with its names sorted.
func sentTo(t *testing.T, spec ConnectSpec, wsURL string) string {
	t.Helper()
	k, err := spec.cookies()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(wsURL)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := k.jar(&client{id: 7, room: 3}, u)
	if err != nil {
		t.Fatal(err)
	}
	sent := strings.Split(withCookies(http.Header{}, jar, u).Get("Cookie"), "; ")
	slices.Sort(sent)
	return strings.Join(sent, "; ")
}

func TestCookiesOfAFileGoWhereTheyBelong(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	file := cookieFile(t, "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\r\n\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t0\thost\t1\n"+
		".example.test\tTRUE\t/\tFALSE\t0\tbelow\t2\r\n"+
		"#HttpOnly_chat.example.test\tFALSE\t/ws\tFALSE\t"+fmt.Sprint(later)+"\tpath\t3\n"+
		"chat.example.test\tFALSE\t/\tTRUE\t0\tsecure\t4\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t1000000000\texpired\t5\n"+
		"127.0.0.1\tFALSE\t/\tFALSE\t0\tip\t6\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t0\tempty\n"+
		"chat.example.test\tFALSE\t/quoted\tFALSE\t0\tq\t\"a b\"\n")
	for wsURL, want := range map[string]string{
		"wss://chat.example.test/ws/a":        "below=2; empty=; host=1; path=3; secure=4",
		"ws://chat.example.test/ws":           "below=2; empty=; host=1; path=3",
		"ws://chat.example.test:8080/wsx":     "below=2; empty=; host=1",
		"ws://chat.example.test/quoted":       `below=2; empty=; host=1; q="a b"`,
		"wss://other.example.test/ws":         "below=2",
		"ws://sub.chat.example.test/ws":       "below=2",
		"ws://notexample/":                    "",
		"ws://127.0.0.1:9/":                   "ip=6",
		"wss://chat.example.test.evil.net/ws": "",
	} {
		if got := sentTo(t, ConnectSpec{CookieJar: file}, wsURL); got != want {
			t.Errorf("%s gets %q, want %q", wsURL, got, want)
		}
	}
	spec := ConnectSpec{CookieJar: file, Cookies: []string{"host=mine", "who={name}", "at={room}.{client}"}}
	if got, want := sentTo(t, spec, "ws://chat.example.test/"), "at=r3.7; below=2; empty=; host=mine; who=c7"; got != want {
		t.Errorf("with cookies given: %q, want %q", got, want)
	}
}

// What curl writes is read, and curl and wsrig send the same of it.
func TestACookieFileOfCurlIsRead(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("curl is missing; install it: CI runs every test")
		}
		t.Skip("curl is not installed")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, c := range []string{"session=s1; HttpOnly", "lasting=s2; Max-Age=3600; Path=/ws", "tls=s3; Secure", "none=; Path=/"} {
			w.Header().Add("Set-Cookie", c)
		}
		fmt.Fprint(w, req.Header.Get("Cookie"))
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "jar")
	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(deadline(t), "curl", append([]string{"-sS", "--noproxy", "*"}, args...)...).Output()
		if err != nil {
			t.Fatalf("curl: %v", err)
		}
		return string(out)
	}
	curl("-c", file, srv.URL+"/")
	sent := strings.Split(curl("-b", file, srv.URL+"/ws"), "; ")
	slices.Sort(sent)
	want := strings.Join(sent, "; ")
	if got := sentTo(t, ConnectSpec{CookieJar: file}, strings.Replace(srv.URL, "http", "ws", 1)+"/ws"); got != want || !strings.Contains(got, "session=s1") || !strings.Contains(got, "lasting=s2") {
		t.Errorf("wsrig sends %q, curl %q", got, want)
	}
}

func TestACookieFileWithAMistakeNamesItsLine(t *testing.T) {
	const good = "a.example\tFALSE\t/\tFALSE\t0\tn\tsecret\n"
	for line, want := range map[string]string{
		"a.example FALSE / FALSE 0 n secret":               "1 fields with tabs",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsecret\tmore":   "8 fields",
		"a.example\tno\t/\tFALSE\t0\tn\tsecret":            `second field, whether subdomains get the cookie, is "no"`,
		"a.example\tFALSE\t/\tmaybe\t0\tn\tsecret":         `fourth field, whether the cookie is secure, is "maybe"`,
		"a.example\tFALSE\tws\tFALSE\t0\tn\tsecret":        `third field, "ws", is no path`,
		"a.example\tFALSE\t/\tFALSE\ttomorrow\tn\tsecret":  `fifth field, "tomorrow", is no time`,
		"a.example\tFALSE\t/\tFALSE\t-1\tn\tsecret":        `fifth field, "-1"`,
		"\tFALSE\t/\tFALSE\t0\tn\tsecret":                  `first field, "", is no domain`,
		"a/b\tFALSE\t/\tFALSE\t0\tn\tsecret":               `first field, "a/b", is no domain`,
		"a.example\tFALSE\t/\tFALSE\t0\t\tsecret":          "no cookie may hold",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsecret;x":       "semicolon",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsec\"ret":       "no cookie may hold",
		"Set-Cookie: n=secret":                             "1 fields",
		"a.example\t" + strings.Repeat("x", maxCookieLine): "token too long",
	} {
		path := cookieFile(t, good+"\n"+line+"\n"+good)
		_, err := (&ConnectSpec{CookieJar: path}).cookies()
		if err == nil || !strings.Contains(err.Error(), path+":3: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") && !strings.Contains(want, "1 fields") {
			t.Errorf("%.60q: error %v, want line 3 and %q", line, err, want)
		}
	}
	for _, given := range []string{"n", "=v", "a b=c", "n=v; m=w", "n=\x01"} {
		if _, err := (&ConnectSpec{Cookies: []string{given}}).cookies(); err == nil {
			t.Errorf("--cookie %q was accepted", given)
		}
	}
	if _, err := (&ConnectSpec{CookieJar: "none.txt"}).cookies(); err == nil || !strings.Contains(err.Error(), "none.txt") {
		t.Errorf("a file that is not there: %v", err)
	}
	if k, err := (&ConnectSpec{}).cookies(); k != nil || err != nil {
		t.Errorf("a spec without cookies keeps %v, %v", k, err)
	}
}

// FuzzCookieFile: what is read has a name and a host, and no error repeats a value.
func FuzzCookieFile(f *testing.F) {
	f.Add("chat.example\tFALSE\t/\tFALSE\t0\tn\tv")
	f.Add("#HttpOnly_.chat.example\tTRUE\t/ws\tTRUE\t1\tn\t")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCookieLine(line)
		if err == nil && (c.cookie.Name == "" || c.from.Host == "" || c.cookie.Valid() != nil && c.cookie.Domain == "") {
			t.Errorf("%q is read as %+v", line, c.cookie)
		}
	})
}

// site is a server whose WebSocket wants what its pages have set.
type site struct {
	*relay
	cookies chan string // Cookie headers of handshakes
}

// newSite is a relay behind a log-in: /login sets a cookie of the client's own and sends
// on to /home, which sets another; /ws wants both, and its 101 sets a third.
func newSite(t *testing.T, start func(http.Handler) *httptest.Server, pages map[string]http.HandlerFunc) (s *site, base string) {
	t.Helper()
	s = &site{relay: &relay{setCookie: "node=n7; Path=/ws"}, cookies: make(chan string, 100)}
	var srv *httptest.Server
	newRelay(t, s.relay, func(ws http.Handler) *httptest.Server {
		mux := http.NewServeMux()
		mux.HandleFunc("/login", func(w http.ResponseWriter, req *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "user", Value: req.URL.Query().Get("user"), Path: "/"})
			http.Redirect(w, req, "/home", http.StatusFound)
		})
		mux.HandleFunc("/home", func(w http.ResponseWriter, req *http.Request) {
			if user, err := req.Cookie("user"); err == nil {
				http.SetCookie(w, &http.Cookie{Name: "home", Value: user.Value + "-home", Path: "/ws"})
			}
		})
		for path, page := range pages {
			mux.HandleFunc(path, page)
		}
		mux.HandleFunc("/ws", func(w http.ResponseWriter, req *http.Request) {
			s.cookies <- req.Header.Get("Cookie")
			ws.ServeHTTP(w, req)
		})
		srv = start(mux)
		return srv
	})
	s.URL = strings.Replace(s.URL, "/?", "/ws?", 1)
	return s, srv.URL
}

// seen are the Cookie headers of n handshakes, sorted.
func (s *site) seen(n int) (all []string) {
	for range n {
		all = append(all, <-s.cookies)
	}
	slices.Sort(all)
	return all
}

func TestAVisitsCookiesGoWithTheHandshake(t *testing.T) {
	for _, engine := range []string{"portable", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			newEngine, err := NewEngine(engine)
			if err != nil {
				t.Fatal(err)
			}
			s, base := newSite(t, httptest.NewServer, nil)
			f := fleetOf(t, newEngine(), RelayRoom, ConnectSpec{
				URLs: []string{s.URL}, Clients: 3, Rooms: 3, Visit: base + "/login?user={name}", Cookies: []string{"lang=en"},
				Header: map[string][]string{"cookie": {"own={client}"}, "X-Name": {"{name}"}, "X-Plain": {"p"}}, InFlight: 2,
			})
			want := []string{"own=0; home=c0-home; lang=en; user=c0", "own=1; home=c1-home; lang=en; user=c1", "own=2; home=c2-home; lang=en; user=c2"}
			if got := s.seen(3); !slices.Equal(got, want) {
				t.Errorf("handshakes had %q, want %q", got, want)
			}
			var names []string
			s.mu.Lock() // the relay notes them after its 101
			for _, h := range s.headers {
				names = append(names, h.Get("X-Name")+h.Get("X-Plain"))
			}
			s.mu.Unlock()
			if slices.Sort(names); !slices.Equal(names, []string{"c0p", "c1p", "c2p"}) {
				t.Errorf("header values %q", names)
			}
			for _, c := range f.clients {
				kept := f.jars.byID[c.id]
				held := map[string]string{}
				for _, cookie := range kept.Cookies(asHTTP(kept.url)) {
					held[cookie.Name] = cookie.Value
				}
				if held["node"] != "n7" || held["user"] != clientName(c.id) {
					t.Errorf("client %d holds %v: the 101 set node=n7", c.id, held)
				}
			}
			publish(t, f, PublishSpec{Phase: 1, Rate: 30, For: 100 * time.Millisecond})
			if sum := summarize(t, []Snapshot{finish(t, f)}, nil, nil); sum.Metrics["handshake.ok"].Value != 3 {
				t.Errorf("handshakes %v", sum.Handshakes)
			}
		})
	}
}

// A client without cookies keeps no jar, whatever the 101 sets.
func TestClientsWithoutCookiesKeepNoJar(t *testing.T) {
	t.Parallel()
	s, _ := newSite(t, httptest.NewServer, nil)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{s.URL}, Clients: 2})
	if got := s.seen(2); !slices.Equal(got, []string{"", ""}) || f.jars.byID != nil {
		t.Errorf("sent %q, jars %v", got, f.jars.byID)
	}
}

// The time of a visit is not the handshake's, and its outcome says what it failed of.
func TestAVisitThatFailsIsAnOutcome(t *testing.T) {
	release := make(chan struct{})
	s, base := newSite(t, httptest.NewServer, map[string]http.HandlerFunc{
		"/broken": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"/round":  func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/round", http.StatusFound) },
		"/silent": func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-req.Context().Done():
			case <-release:
			}
		},
	})
	defer close(release)
	raw := listenRaw(t, func(p *peer) {
		if _, err := http.ReadRequest(p.in); err == nil {
			p.reset()
		}
	})
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, c := range []struct {
		page, outcome, text string
		timeout             time.Duration
	}{
		{base + "/broken", "visit: HTTP 502", "the server answered 502 Bad Gateway", soon},
		{base + "/round", "visit: too many redirects", "more than 10 redirects", soon},
		{base + "/silent", "visit: timeout", "deadline", 100 * time.Millisecond},
		{"http://" + raw + "/?token=secret", "visit: reset", "reset", soon},
		{closed.URL, "visit: refused", "connection refused", soon},
		{strings.Replace(base, "http", "https", 1), "visit: TLS", "", soon},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			l := shortLoad(s.URL)
			l.Clients, l.Rooms, l.Visit, l.Timeout = 4, 1, c.page, c.timeout
			sum, err := l.Run(deadline(t), NewPortable(), func(string, Progress) {})
			if err != nil || sum.Handshakes[c.outcome] != 4 || sum.Metrics["handshake.failed"].Value != 4 {
				t.Fatalf("%v, handshakes %v", err, sum.Handshakes)
			}
			if text := sum.Failures[c.outcome]; text == "" || !strings.Contains(text, c.text) || strings.Contains(text, "secret") {
				t.Errorf("the example is %q, want one with %q", text, c.text)
			}
		})
	}
}

func TestAVisitIsNoPartOfTheConnectTime(t *testing.T) {
	t.Parallel()
	const slow = time.Second
	s, base := newSite(t, httptest.NewServer, map[string]http.HandlerFunc{
		"/slow": func(http.ResponseWriter, *http.Request) { time.Sleep(slow) },
	})
	l := shortLoad(s.URL)
	l.Clients, l.Rooms, l.Visit = 1, 1, base+"/slow"
	sum, err := l.Run(deadline(t), NewPortable(), func(string, Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	connect, whole := sum.Metrics["handshake.connect.max"].Value, 1/sum.Metrics["handshake.rate"].Value
	if whole < slow.Seconds() || connect > whole-slow.Seconds() {
		t.Errorf("a connect of %g s of %g s in all, of which the visit took %s", connect, whole, slow)
	}
}

// Visits under way at once are bounded, and come from the address of the handshake.
func TestVisitsAreBoundedAndComeFromTheClientsAddress(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	inside, most, from := 0, 0, map[string]bool{}
	s, base := newSite(t, httptest.NewServer, map[string]http.HandlerFunc{
		"/count": func(_ http.ResponseWriter, req *http.Request) {
			mu.Lock()
			inside++
			most = max(most, inside)
			from[strings.Split(req.RemoteAddr, ":")[0]] = true
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
		},
	})
	fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{
		URLs: []string{s.URL}, Clients: 20, Visit: base + "/count", InFlight: 3, Sources: []string{"127.0.0.2", "127.0.0.3"},
	})
	mu.Lock()
	defer mu.Unlock()
	if most > 3 || most < 1 || len(from) != 2 || !from["127.0.0.2"] || !from["127.0.0.3"] {
		t.Errorf("up to %d visits at once, from %v", most, from)
	}
}

func TestAVisitOverTLSTrustsWhatTheHandshakeTrusts(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, quietTLS, nil)
	l := shortLoad(s.URL)
	l.Visit, l.Insecure = base+"/login?user={name}", true
	runClean(t, l)
	l.Insecure = false
	sum, err := l.Run(deadline(t), NewPortable(), func(string, Progress) {})
	if err != nil || sum.Handshakes["visit: TLS"] != l.Clients {
		t.Errorf("%v, handshakes %v", err, sum.Handshakes)
	}
}

func TestAVisitStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 100), make(chan struct{})
	s, base := newSite(t, httptest.NewServer, map[string]http.HandlerFunc{
		"/silent": func(_ http.ResponseWriter, req *http.Request) {
			asked <- struct{}{}
			select {
			case <-req.Context().Done():
			case <-release:
			}
		},
	})
	defer close(release)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{s.URL}})
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	begin := time.Now()
	res, err := f.Connect(ctx, ConnectSpec{
		URLs: []string{s.URL}, Clients: 6, Total: 6, Rate: 1000, Rooms: 1, Timeout: 50 * time.Second, Visit: base + "/silent",
	}, quiet)
	if err == nil || time.Since(begin) > soon || res.Outcomes[outcomeOK] != 0 {
		t.Errorf("%v after %s: %v", err, time.Since(begin), res.Outcomes)
	}
}
