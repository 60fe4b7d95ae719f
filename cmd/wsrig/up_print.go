package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"wsrig/testbed"
)

// statsPlace is what a proxy driver may tell about its statistics: where a person
// reads those of a shipped variant whose admin port is at addr.
type statsPlace interface{ StatsPlace(addr string) string }

// printUp prints where everything is, a line for each part.
func printUp(out io.Writer, tb *testbed.Testbed, o upOptions) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(what, format string, a ...any) { fmt.Fprintf(w, what+"\t"+format+"\n", a...) }
	for _, addr := range tb.Targets() {
		line("page", "http://%s/", addr)
	}
	target := tb.Targets()[0]
	line("websocket", "ws://%s/ws?room=lobby&name=you", target)
	if tb.Proxy != nil {
		line("proxy", "%s, pid %d, log %s", o.proxy, tb.Proxy.PID(), tb.Proxy.LogPath())
		if p, ok := tb.Spec.Proxy.(statsPlace); ok && !tb.Spec.Source.Own {
			line("proxy statistics", "%s", p.StatsPlace(tb.Proxy.Unit().Ports["admin"].Peer))
		}
	}
	for _, n := range tb.Nodes {
		addr := n.Unit().Ports["http"].Peer
		line("node "+n.Unit().Name, "pid %d, http://%s/metrics, http://%s/connections", n.PID(), addr, addr)
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
	_, err := fmt.Fprintf(out, "Kill a node by its pid and see its windows go to another. %s Ctrl-C ends all of it.\n", again)
	return err
}

// loadCommand is a command line that puts load on what is up.
func loadCommand(target string) string {
	return fmt.Sprintf("wsrig loadgen --url 'ws://%s/ws?room={room}&name={name}' --clients 200 --rooms 5 --rate 100/s --for 10s", target)
}
