package runtimetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"wsrig/testbed"
)

// calls asks the unit at to who calls it, from one address after the other, and lists
// what it says, a line each.
func calls(ctx context.Context, from []string, to string) (string, error) {
	var list strings.Builder
	for _, source := range from {
		caller, err := call(ctx, source, to)
		if err != nil {
			return "", fmt.Errorf("from %q: %w", source, err)
		}
		fmt.Fprintln(&list, caller)
	}
	return list.String(), nil
}

// call asks the unit at to for its caller's address. The call is from the address from
// unless that is "".
func call(ctx context.Context, from, to string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	if from != "" {
		source, err := netip.ParseAddr(from)
		if err != nil {
			return "", err
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	client := http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to+"/caller", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	addr, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	caller, _, err := net.SplitHostPort(string(addr))
	return caller, err
}

// within puts a unit into a network, with its port reserved there.
func (b *bench) within(network, name string) testbed.Unit {
	b.t.Helper()
	u := b.unit(network, nil)
	u.Name, u.Network = name, network
	return u
}

// givesSources has clients of two units come from addresses in turn, of which there are
// more than a kernel has neighbour entries.
func givesSources(t *testing.T, b *bench) {
	if b.rt.Name() == "process" && runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 as local addresses")
	}
	const n = 1500
	sources, err := b.rt.Sources(b.context(), "callers", n)
	if err != nil || len(sources) != n {
		t.Fatalf("%d addresses, error %v, want %d", len(sources), err, n)
	}
	first, second := b.within("callers", "caller1"), b.within("callers", "caller2")
	asked := b.start(b.unit("asked", nil))
	callers := []testbed.Instance{b.start(first), b.start(second)}
	for i, from := range [][]string{sources[:n/2], sources[n/2:]} {
		got := string(b.ask(callers[i], "/call", url.Values{"from": from, "to": {asked.Unit().Ports["http"].Peer}}))
		if want := strings.Join(from, "\n") + "\n"; got != want {
			t.Errorf("clients that connect from %d addresses, %s to %s, are seen as:\n%.200s", len(from), from[0], from[len(from)-1], got)
		}
	}
}

// sharesNetworks has units of one network reach each other on their own loopback, and
// outlive each other.
func sharesNetworks(t *testing.T, b *bench) {
	one, two := b.within("pair", "one"), b.within("pair", "two")
	if a, c := host(one), host(two); a != c {
		t.Errorf("units of one network are at %s and at %s", a, c)
	}
	first, second := b.start(one), b.start(two)
	reach := func() {
		t.Helper()
		got := b.ask(second, "/call", url.Values{"from": {""}, "to": {one.Ports["http"].Inside()}})
		if string(got) != "127.0.0.1\n" {
			t.Errorf("on its loopback the other unit sees its caller as %q", got)
		}
	}
	reach()
	if err := first.Stop(b.context()); err != nil {
		t.Fatal(err)
	}
	b.ask(second, "/caller", nil) // its network is there without the first
	if err := first.Restart(b.context()); err != nil {
		t.Fatal(err)
	}
	reach()
	cable, ok := second.(testbed.Networked)
	if !ok {
		return // of a runtime whose units cannot be disconnected
	}
	for _, act := range []func(context.Context) error{cable.Disconnect, first.(testbed.Networked).Disconnect, cable.Reconnect, first.(testbed.Networked).Reconnect} {
		if err := act(b.context()); err != nil {
			t.Fatal(err)
		}
	}
	reach()
}

func host(u testbed.Unit) string {
	h, _, _ := net.SplitHostPort(u.Ports["http"].Peer)
	return h
}
