package loadgen

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

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
