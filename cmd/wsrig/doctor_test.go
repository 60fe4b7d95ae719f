package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wsrig/internal/budget"
	"wsrig/internal/result"
)

func TestOwnLimits(t *testing.T) {
	known := budget.Known
	for _, tc := range []struct {
		what, proxy, text string
		want              budget.OwnLimits
	}{
		{"a file without limits has what descriptors allow", budget.HAProxy, "global\n    log stdout local0\ndefaults\n    mode http\n",
			budget.OwnLimits{Processes: 1}},
		{"global maxconn counts, comments do not", budget.HAProxy, "global\n    maxconn 4000 # not 9000\n    # maxconn 1\n    ulimit-n 9000\n",
			budget.OwnLimits{Processes: 1, Connections: known(4000), NoFile: known(9000)}},
		{"defaults bound every frontend below them", budget.HAProxy, "global\n maxconn 4000\ndefaults\n maxconn 2000\nfrontend ws\n bind :80\n",
			budget.OwnLimits{Processes: 1, Connections: known(2000)}},
		{"a narrow statistics frontend does not bound the others", budget.HAProxy, "global\n maxconn 4000\nlisten stats\n maxconn 10\nfrontend ws\n bind :80\n",
			budget.OwnLimits{Processes: 1, Connections: known(4000)}},
		{"a backend's fullconn is none, a server's maxconn is one", budget.HAProxy,
			"backend b\n fullconn 5\n default-server maxconn 500\n server n1 127.0.0.1:1 check maxconn 100\n server n2 127.0.0.1:2\n",
			budget.OwnLimits{Processes: 1, PerNode: known(100)}},
		{"Nginx's own defaults", budget.Nginx, "events {}\nhttp {}\n",
			budget.OwnLimits{Processes: 1, Connections: known(512)}},
		{"auto is a worker for each core", budget.Nginx, "worker_processes auto;worker_rlimit_nofile 9000;\nevents{worker_connections 1024;}\n",
			budget.OwnLimits{Processes: 6, Connections: known(1024), NoFile: known(9000)}},
		{"comments do not count", budget.Nginx, "worker_processes 3; # worker_processes 4;\n#worker_connections 7;\nevents { worker_connections 768; }\n",
			budget.OwnLimits{Processes: 3, Connections: known(768)}},
		{"max_conns bounds a node, 0 does not", budget.Nginx, "upstream c { server 127.0.0.1:1 max_conns=0; server 127.0.0.1:2 max_conns=50; }\n",
			budget.OwnLimits{Processes: 1, Connections: known(512), PerNode: known(50)}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			got, err := ownLimits(tc.proxy, tc.text, 6)
			if err != nil {
				t.Fatal(err)
			}
			if *got != tc.want {
				t.Errorf("got  %+v\nwant %+v", *got, tc.want)
			}
		})
	}
	for proxy, text := range map[string]string{
		budget.HAProxy: "global\n maxconn lots\n", budget.Nginx: "worker_processes 0;\n", "caddy": "",
	} {
		if got, err := ownLimits(proxy, text, 1); err == nil {
			t.Errorf("%s %q gave %+v, want an error", proxy, text, got)
		}
	}
}

// The echo goes over the same sockets as the ping-pong and through more code, so it
// cannot be quicker by more than noise; and nothing is left running.
func TestSelfNoise(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	probe := noiseProbe{Rate: 200, For: time.Second}
	noise, err := probe.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]result.NoiseFigures{"ping-pong": noise.PingPong, "echo": noise.Echo, "lag": noise.Lag} {
		if f.P50 <= 0 || f.Max < f.P50 || f.Max > 10 {
			t.Errorf("%s: %+v", what, f)
		}
	}
	if noise.PingPong.N != 200 || noise.Echo.N != 200 || noise.Lag.N < 200 {
		t.Errorf("samples: %d, %d, %d; want 200, 200, and 200 or more", noise.PingPong.N, noise.Echo.N, noise.Lag.N)
	}
	if noise.Echo.P99 != nil || noise.AddedP99 != nil || noise.Lag.P99 != nil {
		t.Errorf("a 99th percentile stands on 1,000 samples: %+v", noise)
	}
	if noise.AddedP50 != noise.Echo.P50-noise.PingPong.P50 {
		t.Errorf("added %g s is not %g - %g", noise.AddedP50, noise.Echo.P50, noise.PingPong.P50)
	}
	var out bytes.Buffer
	if err := printNoise(&out, noise); err != nil || strings.Count(out.String(), "too few") != 4 {
		t.Errorf("%v; printed\n%s", err, out.String())
	}
}

func TestSelfNoiseEndsWhenTold(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for what, probe := range map[string]func() error{
		"ping-pong": func() error { _, err := pingPong(ctx, 100, time.Hour); return err },
		"echo":      func() error { _, err := (noiseProbe{Rate: 100, For: time.Hour}).echo(ctx); return err },
	} {
		if err := probe(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want the deadline's error", what, err)
		}
	}
}
