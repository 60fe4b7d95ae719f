package testbed_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

func up(t *testing.T, spec testbed.Spec) *testbed.Testbed {
	t.Helper()
	tb, err := testbed.Up(testContext(t), newRuntime(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tb.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tb
}

func TestUpStartsEachKindAfterWhatItNeeds(t *testing.T) {
	t.Parallel()
	need(t, "redis-server")
	proxy := &standInProxy{}
	tb := up(t, testbed.Spec{
		Bus: testbed.BusRedis, Nodes: 2, NodePing: time.Second, Proxy: proxy, Size: testbed.Size{Workers: 2}, Token: "secret", Clients: 5,
		Source: testbed.Source{Name: "v", FileName: "v.cfg"},
	})
	var names []string
	for _, u := range tb.Units() {
		names = append(names, u.Unit().Name)
		if u.Exit() != nil {
			t.Errorf("%s: %v", u.Unit().Name, u.Exit())
		}
	}
	if want := []string{"redis", "n1", "n2", "proxy", "worker1", "worker2"}; !slices.Equal(names, want) {
		t.Errorf("units are %q, want %q", names, want)
	}
	if got := tb.Targets(); len(got) != 1 || got[0] != tb.Proxy.Unit().Ports["ws"].Peer {
		t.Errorf("targets are %q", got)
	}
	if args := tb.Nodes[0].Unit().Args; !slices.Contains(args, "1s") || !slices.Contains(args, "--ping-interval") {
		t.Errorf("the node's arguments lack the ping interval: %q", args)
	}
	in := tb.Config.Input
	if len(in.Nodes) != 2 || in.MaxClients != 5 || in.Dir != tb.Proxy.Dir() {
		t.Errorf("rendered for %+v", in)
	}
	if err := tb.Reload(t.Context()); err != nil || proxy.reloads != 1 {
		t.Errorf("%d reloads (%v), want 1", proxy.reloads, err)
	}
	if _, err := tb.Config.Declared(proxy, "/"); err == nil || !errors.As(err, new(*testbed.ConfigError)) {
		t.Errorf("a model that fails gives %v, want a *ConfigError", err)
	}
	if err := tb.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, u := range tb.Units() {
		if e := u.Exit(); e == nil || !e.Asked {
			t.Errorf("%s after Close: %v", u.Unit().Name, e)
		}
	}
	if err := tb.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
	noDeath(t, tb)
}

func TestUpDirect(t *testing.T) {
	t.Parallel()
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Nodes: 2})
	want := []string{tb.Nodes[0].Unit().Ports["http"].Peer, tb.Nodes[1].Unit().Ports["http"].Peer}
	if got := tb.Targets(); !slices.Equal(got, want) {
		t.Errorf("targets are %q, want %q", got, want)
	}
	if err := tb.Reload(t.Context()); err == nil {
		t.Error("direct was reloaded")
	}
	if d, err := tb.Config.Declared(nil, "/ws"); d != nil || err != nil {
		t.Errorf("direct declares %v (%v)", d, err)
	}
	if _, ok, err := tb.ProxyStats(t.Context()); ok || err != nil {
		t.Errorf("direct has proxy statistics (%v)", err)
	}
	if _, err := tb.Find("n3"); err == nil || !strings.Contains(err.Error(), "n3") {
		t.Errorf("got %v", err)
	}
	for what, do := range map[string]func(context.Context, string) error{"kill": tb.Kill, "freeze": tb.Freeze, "continue": tb.Continue, "restart": tb.Restart} {
		if err := do(t.Context(), "n3"); err == nil {
			t.Errorf("%s of a unit that is not there is no error", what)
		}
	}
}

func TestUpFailsAndLeavesNothing(t *testing.T) {
	need(t, "redis-server")
	mistake := errors.New("line 3: no such word")
	for why, c := range map[string]struct {
		spec  testbed.Spec
		check func(error) bool
	}{
		"a node dies at start": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 3, NodeArgs: []string{"-die", "n2"}},
			func(err error) bool {
				var dead *testbed.ExitError
				return errors.As(err, &dead) && dead.Unit == "n2" && dead.Status == "exit status 1" && slices.Contains(dead.Tail, "chatnode: dying as asked")
			},
		},
		"a worker dies at start": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, Proxy: &standInProxy{}, Size: testbed.Size{Workers: 2}},
			func(err error) bool {
				var dead *testbed.ExitError
				return errors.As(err, &dead) && strings.HasPrefix(dead.Unit, "worker")
			},
		},
		"the proxy's program is missing": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, Proxy: &standInProxy{binary: "no-such-proxy"}},
			func(err error) bool {
				var missing *testbed.MissingBinaryError
				return errors.As(err, &missing) && missing.Binary == "no-such-proxy" && missing.Unit == "proxy"
			},
		},
		"the proxy refuses its configuration": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, Proxy: &standInProxy{checkErr: mistake}}, isConfigError(mistake),
		},
		"the configuration cannot be rendered": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, Proxy: &standInProxy{renderErr: mistake}}, isConfigError(mistake),
		},
		"the configuration's ports are unclear": {
			testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, Proxy: &standInProxy{portsErr: mistake}}, isConfigError(mistake),
		},
		"an unknown bus": {
			testbed.Spec{Bus: "reddis", Nodes: 1},
			func(err error) bool { return strings.Contains(err.Error(), `"reddis"`) },
		},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			failsAndLeavesNothing(t, testContext(t), c.spec, c.check)
		})
	}
}

func isConfigError(cause error) func(error) bool {
	return func(err error) bool {
		var config *testbed.ConfigError
		return errors.As(err, &config) && errors.Is(err, cause)
	}
}

func failsAndLeavesNothing(t *testing.T, ctx context.Context, spec testbed.Spec, check func(error) bool) {
	t.Helper()
	rt := newRuntime(t)
	tb, err := testbed.Up(ctx, rt, spec)
	if err == nil || tb != nil {
		t.Fatalf("Up gave %v, %v; want an error and no testbed", tb, err)
	}
	if !check(err) {
		t.Errorf("not the error it should be: %v", err)
	}
	dir, err := rt.Dir("x")
	if err != nil {
		t.Fatal(err)
	}
	nothingRunsIn(t, filepath.Dir(dir))
}

func TestUpWithoutRedisServerInPath(t *testing.T) {
	t.Setenv("PATH", "")
	failsAndLeavesNothing(t, testContext(t), testbed.Spec{Bus: testbed.BusRedis, Nodes: 1}, func(err error) bool {
		var missing *testbed.MissingBinaryError
		return errors.As(err, &missing) && missing.Binary == "redis-server" && strings.Contains(err.Error(), "not installed")
	})
}

func TestUpThatIsInterruptedLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(testContext(t))
	interrupt := errors.New("interrupted")
	// The workers, the last, lack their token and would fail; the proxy's check
	// comes before them.
	proxy := &interruptingProxy{interrupt: func() { cancel(interrupt) }}
	failsAndLeavesNothing(t, ctx, testbed.Spec{Bus: testbed.BusNone, Nodes: 2, Proxy: proxy},
		func(err error) bool { return errors.Is(err, interrupt) })
}
