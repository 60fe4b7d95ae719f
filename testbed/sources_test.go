package testbed_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsrig/testbed"
)

func TestSourceAddressesAreDistinctNetworks(t *testing.T) {
	rt, err := testbed.NewProcessRuntime("", filepath.Join(t.TempDir(), "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	const n = 70_000
	list, err := rt.Sources(t.Context(), "workers", n)
	if err != nil {
		t.Fatal(err)
	}
	all, networks := map[string]bool{}, map[string]bool{}
	for _, a := range list {
		all[a] = true
		networks[a[:strings.LastIndexByte(a, '.')]] = true
	}
	if len(all) != n || len(networks) != 254*254 {
		t.Errorf("%d addresses in %d networks, want %d in %d", len(all), len(networks), n, 254*254)
	}
	if !slices.Equal(list[:3], []string{"127.1.1.1", "127.1.2.1", "127.1.3.1"}) {
		t.Errorf("the first are %v", list[:3])
	}
	if one, err := rt.Sources(t.Context(), "workers", 1); err != nil || one != nil {
		t.Errorf("one source is %v (%v), want the system's choice", one, err)
	}
	if _, err := rt.Sources(t.Context(), "workers", testbed.MaxSources+1); err == nil {
		t.Error("more addresses than there are were given")
	}
}

func TestKeepNetworkRefusesBadArguments(t *testing.T) {
	for _, args := range [][]string{{"198.18.0.254"}, {"nowhere", "240.0.0.0/8"}, {"198.18.0.254", "240.0.0.0"}, {"a", "b", "c"}} {
		if err := testbed.KeepNetwork(t.Context(), args, t.Output()); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
