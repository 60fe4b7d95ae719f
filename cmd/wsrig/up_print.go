package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"wsrig/testbed"
)

// statsPlace is what a proxy driver may tell about its statistics: where a person reads
// those of a shipped variant, by the addresses of its clients' and its admin port.
type statsPlace interface {
	StatsPlace(clients, admin string) string
}

// statsPage is what a proxy driver may add to a shipped variant: a page of statistics.
type statsPage interface {
	WithStatsPage(testbed.Source) testbed.Source
}

// printUp prints where everything is, a line for each part.
func printUp(out io.Writer, tb *testbed.Testbed, o upOptions) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(what, format string, a ...any) { fmt.Fprintf(w, what+"\t"+format+"\n", a...) }
	own, target := len(tb.Spec.NodeCmd) == 0, tb.Targets()[0]
	for _, addr := range tb.Targets() {
		if own {
			line("page", "http://%s/", addr)
		} else { // which may have no page
			line("address", "http://%s/", addr)
		}
	}
	line("websocket", "ws://%s/ws?room=lobby&name=you", target)
	if tb.Proxy != nil {
		line("proxy", "%s, pid %d, log %s", o.proxy, tb.Proxy.PID(), tb.Proxy.LogPath())
		if p, ok := tb.Spec.Proxy.(statsPlace); ok && !tb.Spec.Source.Own {
			line("proxy statistics", "%s", p.StatsPlace(target, tb.Proxy.Unit().Ports["admin"].Peer))
		}
	}
	for _, n := range tb.Nodes {
		addr := n.Unit().Ports["http"].Peer
		if own {
			line("node "+n.Unit().Name, "pid %d, http://%s/metrics, http://%s/connections", n.PID(), addr, addr)
		} else {
			line("node "+n.Unit().Name, "pid %d, http://%s/, log %s", n.PID(), addr, n.LogPath())
		}
	}
	if tb.Redis != nil {
		line(tb.Spec.Bus, "pid %d, redis://%s", tb.Redis.PID(), tb.Redis.Unit().Ports["redis"].Peer)
	}
	line("load", "%s", loadCommand(target))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("%w: print the addresses: %w", errTestbed, err)
	}
	again := "It is started again after " + restartPause.String() + "."
	if o.noRestart {
		again = "It stays dead."
	}
	_, err := fmt.Fprintf(out, "Kill a node by its pid and see its clients go to another. %s Ctrl-C ends all of it.\n", again)
	return err
}

// loadCommand is a command line that puts load on what is up.
func loadCommand(target string) string {
	return fmt.Sprintf("wsrig loadgen --url 'ws://%s/ws?room={room}&name={name}' --clients 200 --rooms 5 --rate 100/s --for 10s", target)
}
