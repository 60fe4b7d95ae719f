package nginx

import (
	"strings"
	"testing"

	"wsrig/testbed"
	"wsrig/testbed/proxytest"
)

// hidden is an instance whose processes are not on this host.
type hidden struct{ testbed.Instance }

func (hidden) PID() int { return 0 }

func TestProcessesThatAreNotOnThisHost(t *testing.T) {
	proxytest.Need(t, "nginx")
	src, err := Driver{}.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	inst, _, _ := proxytest.Run(t, Driver{}, src, []testbed.NodeAddr{{Name: "n1", Addr: "127.0.0.1:1"}})
	stats, err := Driver{}.Stats(t.Context(), hidden{inst})
	if err != nil || stats.Processes != 0 {
		t.Errorf("statistics %+v, error %v; want those that Nginx tells itself", stats, err)
	}
	if workers, err := (Driver{}).Workers(t.Context(), hidden{inst}); err != nil || len(workers) != 0 {
		t.Errorf("workers %v, error %v", workers, err)
	}
	if err := (Driver{}).Reload(t.Context(), hidden{inst}); err == nil || !strings.Contains(err.Error(), "not on this host") {
		t.Errorf("a reload that nobody can confirm: %v", err)
	}
}
