package nginx

import (
	"maps"
	"strings"
	"testing"

	"wsrig/testbed"
)

func balanceOf(text string) (testbed.Balance, error) {
	cfg := testbed.Config{Source: testbed.Source{Name: "x.conf", Text: text, Own: true}}
	for _, name := range []string{"n1", "n2", "n3"} {
		cfg.Input.Nodes = append(cfg.Input.Nodes, testbed.NodeAddr{Name: name})
	}
	return Driver{}.Balance(cfg, "/ws?room=1")
}

func TestBalanceFollowsTheManual(t *testing.T) {
	t.Parallel()
	const two = "server a:80; server b:80;"
	equal := map[string]float64{"n1": 1, "n2": 1}
	for _, row := range []struct {
		says, main, upstream, algorithm string
		weights                         map[string]float64
		where                           string
		ring, key                       int
		alone, slow                     bool
	}{
		{says: "nothing said is round robin", upstream: two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "several workers without a zone take turns alone", main: "worker_processes 4;", upstream: two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "x.conf:2 (upstream u)", alone: true},
		{says: "with a zone they do not", main: "worker_processes 4;", upstream: "zone z 64k;" + two, algorithm: testbed.BalanceRoundRobin, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "one worker is alone anyway", main: "worker_processes 1;", upstream: "least_conn;" + two, algorithm: testbed.BalanceLeastConn, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "each worker counts what it has", main: "worker_processes 2;", upstream: "least_conn;" + two, algorithm: testbed.BalanceLeastConn, weights: equal, where: "x.conf:2 (upstream u)", alone: true},
		{says: "ip_hash is by /24, and all workers hash alike", main: "worker_processes 4;", upstream: "ip_hash;" + two, algorithm: testbed.BalanceSourceHash, weights: equal, where: "x.conf:2 (upstream u)", key: 24},
		{says: "hash of the address", upstream: "hash $binary_remote_addr;" + two, algorithm: testbed.BalanceSourceHash, weights: equal, where: "x.conf:2 (upstream u)", key: 32},
		{says: "a consistent one has 160 points a unit", upstream: "hash $remote_addr consistent;" + two, algorithm: testbed.BalanceSourceHash, weights: equal, where: "x.conf:2 (upstream u)", key: 32, ring: 160},
		{says: "hash of the URI", upstream: "hash $request_uri;" + two, algorithm: testbed.BalanceURIHash, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "hash of a cookie is not foreseen", upstream: "hash $cookie_user;" + two, algorithm: testbed.BalanceUnknown, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "random draws", upstream: "random two least_conn;" + two, algorithm: testbed.BalanceRandom, weights: equal, where: "x.conf:2 (upstream u)"},
		{says: "weights, backup and down", upstream: "server a:80 weight=3; server b:80 backup; server c:80 down slow_start=9s;", algorithm: testbed.BalanceRoundRobin, weights: map[string]float64{"n1": 3, "n2": 0, "n3": 0}, where: "x.conf:2 (upstream u)", slow: true},
	} {
		b, err := balanceOf(row.main + "http {\nupstream u { " + row.upstream + " }\nserver { listen 80; location / { proxy_pass http://u; } } }")
		if err != nil || b.Algorithm != row.algorithm || !maps.Equal(b.Weights, row.weights) || b.Where != row.where ||
			b.RingPoints != row.ring || b.KeyBits != row.key || b.PerProcess != row.alone || b.SlowStart != row.slow || b.Why == "" {
			t.Errorf("%s: %+v, %v", row.says, b, err)
		}
	}
}

func TestBalanceOfOtherWays(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ says, text, algorithm, why string }{
		{"one node without an upstream", "http { server { listen 80; location / { proxy_pass http://a; } } }", testbed.BalanceRoundRobin, "one node"},
		{"an if with a way of its own", "http { upstream u { server a; server b; }\nserver { listen 80; location / { proxy_pass http://u; if ($http_x) { proxy_pass http://a; } } } }", testbed.BalanceUnknown, "2 proxy_pass"},
		{"a hop hides the client's address", "http { upstream u { ip_hash; server a; server b; }\nserver { listen 81; location / { proxy_pass http://u; } }\nserver { listen 80; location / { proxy_pass http://127.0.0.1:81; } } }", testbed.BalanceUnknown, "not the client's"},
	} {
		b, err := balanceOf(row.text)
		if err != nil || b.Algorithm != row.algorithm || !strings.Contains(b.Why, row.why) {
			t.Errorf("%s: %+v, %v", row.says, b, err)
		}
	}
	if _, err := balanceOf("http { upstream u { server a weight=x; }\nserver { listen 80; location / { proxy_pass http://u; } } }"); err == nil || !strings.Contains(err.Error(), `x.conf:1: weight "x"`) {
		t.Errorf("a weight that is no number: %v", err)
	}
}
