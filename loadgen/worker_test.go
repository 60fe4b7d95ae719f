package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const token = "secret of the test"

// serveWorker starts a worker in this process. stop ends it and returns what Serve
// did; the test's end calls it too.
func serveWorker(t testing.TB) (r Remote, stop func() error) {
	t.Helper()
	w, err := NewWorker(token, NewPortable)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, l) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-served:
			return err
		case <-time.After(soon):
			return errors.New("the worker did not stop")
		}
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return Remote{Addr: l.Addr().String(), Token: token}, stop
}

// ask makes a call that must succeed.
func ask[R any](t testing.TB, r Remote, command string, spec any) R {
	t.Helper()
	res, err := Call[R](deadline(t), r, command, spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestWorkerNeedsAToken(t *testing.T) {
	if _, err := NewWorker("", NewPortable); err == nil || !strings.Contains(err.Error(), "WSRIG_TOKEN") {
		t.Errorf("error %v", err)
	}
}

func TestWorkerRefusesBadRequests(t *testing.T) {
	t.Parallel()
	r, _ := serveWorker(t)
	for _, c := range []struct {
		why, method, path, auth, body string
		status                        int
		says                          string
	}{
		{"no token", "POST", "/v1/begin", "", "{}", 401, "token"},
		{"a wrong token", "POST", "/v1/begin", "Bearer guess", "{}", 401, "token"},
		{"the token in another scheme", "POST", "/v1/begin", "Basic " + token, "{}", 401, "token"},
		{"an unknown command", "POST", "/v1/explode", "Bearer " + token, "{}", 404, ""},
		{"a GET", "GET", "/v1/begin", "Bearer " + token, "", 405, ""},
		{"an empty body", "POST", "/v1/begin", "Bearer " + token, "", 400, "begin: EOF"},
		{"no JSON", "POST", "/v1/begin", "Bearer " + token, "{nodes", 400, "begin: invalid character"},
		{"an unknown field", "POST", "/v1/begin", "Bearer " + token, `{"node":["a"]}`, 400, `unknown field "node"`},
		{"a wrong type", "POST", "/v1/connect", "Bearer " + token, `{"clients":"many"}`, 400, "clients"},
		{"more after the object", "POST", "/v1/begin", "Bearer " + token, `{}{}`, 400, "more after"},
		{"rubbish after the object", "POST", "/v1/begin", "Bearer " + token, `{} x`, 400, "invalid character"},
		{"a command before begin", "POST", "/v1/count", "Bearer " + token, `{}`, 409, "begin one first"},
	} {
		req, err := http.NewRequestWithContext(deadline(t), c.method, "http://"+r.Addr+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", c.auth)
		resp, err := control.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d %q, want %d with %q", c.why, resp.StatusCode, text, c.status, c.says)
		}
	}
}

func TestWorkerRefusesABodyThatIsTooLarge(t *testing.T) {
	spaces := &endless{}
	status, err := readSpec(http.MaxBytesReader(nil, io.NopCloser(io.LimitReader(spaces, 4096)), 1024), &BeginSpec{})
	if status != http.StatusRequestEntityTooLarge || err == nil {
		t.Errorf("status %d, %v", status, err)
	}
}

type endless struct{}

func (*endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestWorkerRunsOneCommandAtATime(t *testing.T) {
	t.Parallel()
	r, _ := serveWorker(t)
	ask[struct{}](t, r, CommandBegin, BeginSpec{})
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	started, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		_, err := Call[IdleResult](ctx, r, CommandIdle, IdleSpec{For: time.Hour}, func(Progress) { once.Do(func() { close(started) }) })
		ended <- err
	}()
	<-started
	if _, err := Call[CountResult](deadline(t), r, CommandCount, struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "another command is running") {
		t.Errorf("a second command: %v", err)
	}
	// The caller that goes away takes its command with it.
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first command: %v", err)
	}
	eventually(t, "the worker is free again", func() bool {
		_, err := Call[CountResult](deadline(t), r, CommandCount, struct{}{}, nil)
		return err == nil
	})
}

func TestWorkerStopsInTheMiddleOfACommand(t *testing.T) {
	t.Parallel()
	silent := listenRaw(t, func(p *peer) { p.untilGone() })
	for name, spec := range map[string]any{
		CommandIdle:    IdleSpec{For: time.Hour},
		CommandConnect: ConnectSpec{URLs: []string{"ws://" + silent}, Clients: 20, Total: 20, Rate: 1000, Rooms: 1, Timeout: time.Hour},
		CommandPublish: PublishSpec{Phase: 1, Rate: 50, For: time.Hour, Size: 128, Grace: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relay := newRelay(t, &relay{}, httptest.NewServer)
			r, stop := serveWorker(t)
			ask[struct{}](t, r, CommandBegin, BeginSpec{})
			ask[ConnectResult](t, r, CommandConnect, ConnectSpec{URLs: []string{relay.URL}, First: 100, Clients: 5, Total: 5, Rate: 1000, Rooms: 1, Timeout: soon})
			started, ended := make(chan struct{}), make(chan error, 1)
			var once sync.Once
			go func() {
				_, err := Call[json.RawMessage](deadline(t), r, name, spec, func(Progress) { once.Do(func() { close(started) }) })
				ended <- err
			}()
			<-started
			begin := time.Now()
			if err := stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), "worker "+r.Addr+": "+name+": ") {
				t.Errorf("the command: %v", err)
			}
			eventually(t, "no client is left", func() bool {
				relay.mu.Lock()
				defer relay.mu.Unlock()
				return len(relay.rooms["r0"]) == 0
			})
		})
	}
}

func TestBeginForgetsTheTrialBefore(t *testing.T) {
	t.Parallel()
	relay := newRelay(t, &relay{}, httptest.NewServer)
	r, _ := serveWorker(t)
	for range 2 {
		ask[struct{}](t, r, CommandBegin, BeginSpec{})
		ask[ConnectResult](t, r, CommandConnect, ConnectSpec{URLs: []string{relay.URL}, Clients: 3, Total: 3, Rate: 1000, Rooms: 1, Timeout: soon})
	}
	if n := ask[CountResult](t, r, CommandCount, struct{}{}).Open; n != 3 {
		t.Errorf("%d clients are open, want the 3 of the second trial", n)
	}
	ask[Snapshot](t, r, CommandFinish, struct{}{})
	if _, err := Call[CountResult](deadline(t), r, CommandCount, struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("after finish: %v", err)
	}
	if _, err := Call[struct{}](deadline(t), r, CommandBegin, BeginSpec{Relay: "x"}, nil); err == nil || !strings.Contains(err.Error(), "unknown relay mode") {
		t.Errorf("a bad begin: %v", err)
	}
}
