package runtimetest

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

func reservesPorts(t *testing.T, b *bench) {
	names := []string{"a", "b", "c"}
	seen := map[string]string{}
	for _, unit := range []string{"n1", "n2"} {
		ports, err := b.rt.Reserve(b.context(), unit, map[string]int{"a": 0, "b": 0, "c": 0})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			p := ports[n]
			if p.Host == "" || p.Listen == "" || p.Peer == "" {
				t.Errorf("%s: port %q is %+v; every address must be set", unit, n, p)
			}
			if other, ok := seen[p.Host]; ok {
				t.Errorf("%s %s and %s have one address %s", unit, n, other, p.Host)
			}
			seen[p.Host] = unit + " " + n
		}
	}
	fixed := freePort(t)
	ports, err := b.rt.Reserve(b.context(), "proxy", map[string]int{"ws": fixed, "admin": 0})
	if err != nil {
		t.Fatal(err)
	}
	if got := portNumber(t, ports["ws"].Host); got != fixed {
		t.Errorf("asked for port %d, got %d", fixed, got)
	}
	if _, err := b.rt.Reserve(b.context(), "proxy2", map[string]int{"ws": fixed}); err == nil {
		t.Errorf("port %d was reserved twice", fixed)
	} else if !strings.Contains(err.Error(), strconv.Itoa(fixed)) {
		t.Errorf("the error does not name port %d: %v", fixed, err)
	}
	for _, number := range []int{-1, 65536} {
		if _, err := b.rt.Reserve(b.context(), "x", map[string]int{"ws": number}); err == nil {
			t.Errorf("port number %d was accepted", number)
		}
	}
}

func refusesPortInUse(t *testing.T, b *bench) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	used := portNumber(t, l.Addr().String())
	// Whatever the order, one of the free ones is bound before the used one or after.
	fixed := []int{freePort(t), freePort(t)}
	_, err = b.rt.Reserve(b.context(), "proxy", map[string]int{"a": fixed[0], "b": used, "c": fixed[1], "d": 0})
	if err == nil {
		t.Fatalf("port %d is listened on and was reserved", used)
	}
	if _, err := b.rt.Reserve(b.context(), "proxy", map[string]int{"ws": used}); err == nil ||
		!strings.Contains(err.Error(), strconv.Itoa(used)) || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("the error must name the unit and port %d: %v", used, err)
	}
	for _, number := range fixed {
		if _, err := b.rt.Reserve(b.context(), "proxy", map[string]int{"ws": number}); err != nil {
			t.Errorf("a failed reservation kept port %d: %v", number, err)
		}
	}
}

func givesWhatWasAsked(t *testing.T, b *bench) {
	u := b.unit("n1", []string{"-note", "with space"})
	u.Env = append(u.Env, "WSRIG_NOTE=a=b c")
	u.Files = []testbed.File{{Name: "n1.cfg", Data: []byte("top")}, {Name: "sub/deep.cfg", Data: []byte("deep")}}
	inst := b.start(u)
	if args := b.askList(inst, "/args"); !slices.Equal(args, u.Args) {
		t.Errorf("arguments are %q, want %q", args, u.Args)
	}
	env := b.askList(inst, "/env")
	if !slices.Contains(env, "WSRIG_NOTE=a=b c") {
		t.Errorf("environment lacks WSRIG_NOTE: %q", env)
	}
	if i := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, stranger+"=") }); i >= 0 {
		t.Errorf("the caller's environment leaks into the unit: %s", env[i])
	}
	for name, want := range map[string]string{"n1.cfg": "top", "sub/deep.cfg": "deep"} {
		if got := b.ask(inst, "/file", url.Values{"name": {name}}); string(got) != want {
			t.Errorf("file %s holds %q, want %q", name, got, want)
		}
	}
	dir, err := b.rt.Dir("n1")
	if err != nil || dir != inst.Dir() {
		t.Errorf("Dir says %s (%v), the instance %s", dir, err, inst.Dir())
	}
	if !exists(inst.LogPath()) {
		t.Errorf("there is no log at %s", inst.LogPath())
	}
}

func refusesBadUnits(t *testing.T, b *bench) {
	good := b.unit("n1", nil)
	for why, change := range map[string]func(*testbed.Unit){
		"a file outside the unit's directory": func(u *testbed.Unit) { u.Files = []testbed.File{{Name: "../x"}} },
		"an absolute file":                    func(u *testbed.Unit) { u.Files = []testbed.File{{Name: "/x"}} },
		"a name that is a path":               func(u *testbed.Unit) { u.Name = "../n1" },
		"no name":                             func(u *testbed.Unit) { u.Name = "" },
		"an unknown stop signal":              func(u *testbed.Unit) { u.StopSignal = "TURM" },
	} {
		u := good
		change(&u)
		if inst, err := b.rt.Start(b.context(), u); err == nil {
			t.Errorf("%s: was started: %v", why, inst.Unit())
		}
	}
	lost := good
	lost.Binary = "wsrig-no-such-program"
	_, err := b.rt.Start(b.context(), lost)
	var missing *testbed.MissingBinaryError
	if !errors.As(err, &missing) || missing.Binary != lost.Binary || missing.Unit != "n1" {
		t.Errorf("a missing program gives %v", err)
	}
	if err := b.rt.Lookup(b.context(), lost); !errors.As(err, &missing) {
		t.Errorf("Lookup of a missing program gives %v", err)
	}
	if err := b.rt.Lookup(b.context(), good); err != nil {
		t.Errorf("Lookup of a program that is there: %v", err)
	}
	b.start(good)
	if _, err := b.rt.Start(b.context(), good); err == nil || !strings.Contains(err.Error(), "n1") {
		t.Errorf("a second unit of the name that runs gives %v", err)
	}
}

func tellsDeathAtStart(t *testing.T, b *bench) {
	_, err := b.rt.Start(b.context(), b.unit("n1", []string{"-die", "7"}))
	var dead *testbed.ExitError
	if !errors.As(err, &dead) {
		t.Fatalf("got %v, want an *ExitError", err)
	}
	if dead.Unit != "n1" || dead.Status != "exit status 7" || dead.Asked {
		t.Errorf("got %+v", dead)
	}
	if n := len(dead.Tail); n == 0 || n > 30 || dead.Tail[n-1] != "cannot go on" || slices.Contains(dead.Tail, "line 1") {
		t.Errorf("the tail must be the last lines of the log and no more: %q", dead.Tail)
	}
	for _, want := range []string{"n1", "exit status 7", "cannot go on", dead.LogPath} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q:\n%v", want, err)
		}
	}
	if !exists(dead.LogPath) {
		t.Errorf("the log %s is not there", dead.LogPath)
	}
}

func givesUpOnUnready(t *testing.T, b *bench) {
	u := b.unit("n1", []string{"-unready"}, "child")
	cause := errors.New("enough of this")
	ctx, cancel := context.WithTimeoutCause(b.context(), time.Second, cause)
	defer cancel()
	_, err := b.rt.Start(ctx, u)
	var unready *testbed.NotReadyError
	if !errors.As(err, &unready) || !errors.Is(err, cause) {
		t.Fatalf("got %v, want a *NotReadyError for %v", err, cause)
	}
	if unready.Unit != "n1" || unready.Last == nil || !exists(unready.LogPath) {
		t.Errorf("got %+v", unready)
	}
	b.gone(u)
}

func startsNothingTooLate(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(b.context())
	cancel()
	u := b.unit("n1", nil)
	u.Ready = nil
	if _, err := b.rt.Start(ctx, u); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	b.gone(u)
}

func endsAbandonedStart(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(b.context())
	u := b.unit("n1", []string{"-unready"})
	u.Ready = func(ctx context.Context, inst testbed.Instance) error {
		// Only once it listens, so that there is something to end.
		if conn, err := net.Dial("tcp", inst.Unit().Ports["http"].Host); err == nil {
			conn.Close()
			cancel()
		}
		return errors.New("not yet")
	}
	if _, err := b.rt.Start(ctx, u); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	b.gone(u)
}

// freePort is a port that nobody uses a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portNumber(t, l.Addr().String())
}

func portNumber(t *testing.T, addr string) int {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
