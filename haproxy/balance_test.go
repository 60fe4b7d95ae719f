package haproxy

import (
	"maps"
	"strings"
	"testing"

	"wsrig/testbed"
)

func balanceOf(text string) (testbed.Balance, error) {
	cfg := testbed.Config{Source: testbed.Source{Name: "x.cfg", Text: text, Own: true}}
	for _, name := range []string{"n1", "n2", "n3"} {
		cfg.Input.Nodes = append(cfg.Input.Nodes, testbed.NodeAddr{Name: name})
	}
	return Driver{}.Balance(cfg, "/ws?room=1")
}

func TestBalanceFollowsTheManual(t *testing.T) {
	t.Parallel()
	const (
		front = "defaults\n mode http\nfrontend f\n bind :80\n default_backend b\nbackend b\n"
		two   = " server a 10.0.0.1:80\n server b 10.0.0.2:80\n"
	)
	equal := map[string]float64{"n1": 1, "n2": 1}
	for _, row := range []struct {
		says, text, algorithm string
		weights               map[string]float64
		where                 string
		ring, key             int
		slow                  bool
	}{
		{says: "nothing said is roundrobin", text: front + two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "built-in default"},
		{says: "balance of defaults is inherited", text: "defaults\n balance leastconn\nfrontend f\n bind :80\n default_backend b\nbackend b\n" + two, algorithm: testbed.BalanceLeastConn, weights: equal, where: "x.cfg:2 (defaults)"},
		{says: "static-rr is a round robin", text: front + " balance static-rr\n" + two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "x.cfg:7 (backend b)"},
		{says: "source without a hash-type has no ring", text: front + " balance source\n" + two, algorithm: testbed.BalanceSourceHash, weights: equal, where: "x.cfg:7 (backend b)", key: 32},
		{says: "a consistent one has 16 points a unit", text: front + " balance source\n hash-type consistent djb2\n" + two, algorithm: testbed.BalanceSourceHash, weights: equal, where: "x.cfg:7 (backend b)", ring: 16, key: 32},
		{says: "random draws", text: front + " balance random(2)\n" + two, algorithm: testbed.BalanceRandom, weights: equal, where: "x.cfg:7 (backend b)"},
		{says: "uri is by path", text: front + " balance uri\n" + two, algorithm: testbed.BalanceURIHash, weights: equal, where: "x.cfg:7 (backend b)"},
		{says: "a header is not foreseen", text: front + " balance hdr(X-User)\n" + two, algorithm: testbed.BalanceUnknown, weights: equal, where: "x.cfg:7 (backend b)"},
		{says: "a stick table comes before balance", text: front + " balance leastconn\n stick on src\n" + two, algorithm: testbed.BalanceUnknown, where: "x.cfg:8 (backend b)", weights: equal},
		{says: "weights, those of default-server too", text: front + " default-server weight 5 slowstart 3s\n server a 10.0.0.1:80\n server b 10.0.0.2:80 weight 20\n", algorithm: testbed.BalanceRoundRobin, weights: map[string]float64{"n1": 5, "n2": 20}, where: "built-in default", slow: true},
		{says: "a default-server below does not hold", text: front + " server a 10.0.0.1:80\n default-server weight 9\n server b 10.0.0.2:80\n", algorithm: testbed.BalanceRoundRobin, weights: map[string]float64{"n1": 1, "n2": 9}, where: "built-in default"},
		{says: "backup and disabled servers wait", text: front + " server a 10.0.0.1:80\n server b 10.0.0.2:80 backup\n server c 10.0.0.3:80 disabled\n", algorithm: testbed.BalanceRoundRobin, weights: map[string]float64{"n1": 1, "n2": 0, "n3": 0}, where: "built-in default"},
		{says: "backups serve when there is nothing else", text: front + " server a 10.0.0.1:80 backup\n server b 10.0.0.2:80 backup\n", algorithm: testbed.BalanceRoundRobin, weights: equal, where: "built-in default"},
		{says: "a way that hangs on the client's address is not foreseen", text: "frontend f\n mode http\n bind :80\n use_backend b if { src 10.0.0.0/8 }\n default_backend c\nbackend b\n" + two + "backend c\n" + two, algorithm: testbed.BalanceUnknown, where: "x.cfg"},
		{says: "behind a hop the client's address is gone", text: "frontend f\n bind :80\n default_backend h\nbackend h\n server h 127.0.0.1:81\nfrontend g\n bind 127.0.0.1:81\n default_backend b\nbackend b\n balance source\n" + two, algorithm: testbed.BalanceUnknown, weights: equal, where: "x.cfg:10 (backend b)", key: 32},
		{says: "behind a hop round robin is what it is", text: "frontend f\n bind :80\n default_backend h\nbackend h\n server h 127.0.0.1:81\nfrontend g\n bind 127.0.0.1:81\n default_backend b\nbackend b\n balance roundrobin\n" + two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "x.cfg:10 (backend b)"},
	} {
		b, err := balanceOf(row.text)
		if err != nil || b.Algorithm != row.algorithm || !maps.Equal(b.Weights, row.weights) || b.Where != row.where ||
			b.RingPoints != row.ring || b.KeyBits != row.key || b.SlowStart != row.slow || b.PerProcess || b.Why == "" {
			t.Errorf("%s: %+v, %v", row.says, b, err)
		}
	}
	if _, err := balanceOf(front + " server a 10.0.0.1:80 weight 300\n"); err == nil || !strings.Contains(err.Error(), `x.cfg:7: weight "300"`) {
		t.Errorf("a weight above 256: %v", err)
	}
}
