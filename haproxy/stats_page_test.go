package haproxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"wsrig/testbed/proxytest"
)

// TestEveryVariantCanHaveAStatisticsPage runs each on the real HAProxy, which serves it
// on the clients' port beside the WebSockets; without being asked none has it.
func TestEveryVariantCanHaveAStatisticsPage(t *testing.T) {
	proxytest.Need(t, "haproxy")
	nodes := proxytest.StartNodes(t, 2)
	for variant := range (Driver{}).Variants() {
		t.Run(variant, func(t *testing.T) {
			src, err := Driver{}.Load(variant)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(src.Text, "stats uri") {
				t.Error("it has the page without being asked")
			}
			_, _, addr := proxytest.Run(t, Driver{}, Driver{}.WithStatsPage(src), nodes)
			place, _, _ := strings.Cut(Driver{}.StatsPlace(addr, "127.0.0.1:1"), ",")
			res, err := http.Get(place)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			page, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(page), "Statistics Report") {
				t.Errorf("%s: %s, %v:\n%.200s", place, res.Status, err, page)
			}
			proxytest.Dial(t, addr, "/ws")
		})
	}
}
