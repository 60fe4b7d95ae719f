package testbed_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/testbed"
)

func TestAddNodePutsItIntoTheRunningPool(t *testing.T) {
	t.Parallel()
	proxy := &standInProxy{}
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Token: "secret", Nodes: 2, Proxy: proxy, Source: testbed.Source{Name: "v", FileName: "v.cfg"}})
	sampler := tb.Sample(t.Context())
	name, err := tb.AddNode(t.Context())
	if err != nil || name != "n3" {
		t.Fatalf("added %q, %v", name, err)
	}
	usage := sampler.Stop(t.Context())
	if len(tb.Nodes) != 3 || proxy.reloads != 1 || len(tb.Config.Input.Nodes) != 3 {
		t.Errorf("%d nodes, %d reloads, %d nodes in the configuration; want 3, 1 and 3", len(tb.Nodes), proxy.reloads, len(tb.Config.Input.Nodes))
	}
	if got := tb.Config.Input.Nodes[2]; got.Name != "n3" || got.Addr != tb.Nodes[2].Unit().Ports["http"].Peer {
		t.Errorf("the proxy knows %+v", got)
	}
	text, err := os.ReadFile(filepath.Join(tb.Proxy.Dir(), "v.cfg"))
	if err != nil || string(text) != "rendered for 3 nodes" {
		t.Errorf("the proxy's file is %q, %v", text, err)
	}
	sampled := false
	for _, u := range usage {
		sampled = sampled || u.Unit == "n3"
	}
	if !sampled {
		t.Error("the node that was added is not in the samples of use")
	}
	counts, err := tb.NodeConnections(t.Context())
	if _, ok := counts["n3"]; err != nil || !ok {
		t.Errorf("connections of the nodes: %v, %v", counts, err)
	}
	if err := tb.Kill(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	if counts, err = tb.NodeConnections(t.Context()); err != nil || counts["n3"] != 0 || len(counts) != 3 {
		t.Errorf("connections with a node killed: %v, %v", counts, err)
	}
}

func TestAddNodeDirectJoinsTheTargets(t *testing.T) {
	t.Parallel()
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Token: "secret", Nodes: 1})
	if _, err := tb.AddNode(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := tb.Targets(); len(got) != 2 || got[0] == got[1] {
		t.Errorf("targets are %q, want two", got)
	}
	b, err := tb.Balance("/")
	if err != nil || b.Algorithm != testbed.BalanceRoundRobin || len(b.Weights) != 2 {
		t.Errorf("direct balances by %+v, %v", b, err)
	}
	if w, err := tb.WorkerProcesses(t.Context()); w != nil || err != nil {
		t.Errorf("direct has proxy processes %+v, %v", w, err)
	}
}

func TestAddNodeRefusesAndKeepsWhatServes(t *testing.T) {
	t.Parallel()
	proxy := &standInProxy{}
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Token: "secret", Nodes: 1, Proxy: proxy, Source: testbed.Source{Name: "v", FileName: "v.cfg"}})
	proxy.checkErr = errors.New("line 3: no such word")
	if _, err := tb.AddNode(t.Context()); !errors.As(err, new(*testbed.ConfigError)) || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a configuration that does not pass its check: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(tb.Proxy.Dir(), "v.cfg"))
	if err != nil || string(text) != "rendered for 1 nodes" || proxy.reloads != 0 || len(tb.Config.Input.Nodes) != 1 {
		t.Errorf("after it the proxy's file is %q, %v, with %d reloads", text, err, proxy.reloads)
	}
	own := up(t, testbed.Spec{Bus: testbed.BusNone, Token: "secret", Nodes: 1, Proxy: &standInProxy{}, Source: testbed.Source{Name: "my.cfg", FileName: "v.cfg", Own: true}})
	if _, err := own.AddNode(t.Context()); err == nil || !strings.Contains(err.Error(), "my.cfg lists its nodes itself") || len(own.Nodes) != 1 {
		t.Errorf("a user's own file: %v, %d nodes", err, len(own.Nodes))
	}
}
