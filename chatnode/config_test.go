package chatnode

import (
	"strings"
	"testing"
	"time"
)

func TestNewListsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  string
		edit func(*Config)
		want []string // lines of the error
	}{
		{"the default is fine", func(*Config) {}, nil},
		{"a name travels in a header", func(c *Config) { c.Name = "n 1" },
			[]string{`name "n 1": want 1 to 64 visible ASCII characters, as it travels in a header`}},
		{"an unknown bus is named with the known ones", func(c *Config) { c.Bus = "nats" },
			[]string{`bus "nats": want one of none, redis`}},
		{"the bus redis needs its address", func(c *Config) { c.RedisURL = "localhost" },
			[]string{`redis url: redis: invalid URL scheme: ; want redis://host:port`}},
		{"a node alone does not", func(c *Config) { c.Bus, c.RedisURL = "none", "" }, nil},
		{"pongs need time for at least one ping", func(c *Config) { c.PingInterval, c.PongWait = time.Second, time.Second },
			[]string{`pong wait 1s: want longer than the ping interval 1s, or each client is dropped between two pings`}},
		{"silence can be limited without pings", func(c *Config) { c.PongWait = time.Second }, nil},
		{"only Redis keeps history", func(c *Config) { c.Bus, c.History = "none", 5 },
			[]string{`history 5: Redis keeps it, so use the bus redis, or 0`}},
		{"an origin has no path", func(c *Config) { c.Origins = []string{"ok.example", "https://x.example/chat"} },
			[]string{`origin "https://x.example/chat": want *, host, host:port or scheme://host[:port]`}},
		{"all problems come at once",
			func(c *Config) {
				c.SlowConsumer, c.DrainCode = "ignore", 1000
				c.PingInterval, c.WriteWait = time.Millisecond, 0
				c.MessageLimit, c.MaxConnections, c.SendQueue, c.PublishQueue = 0, -1, 0, 0
			},
			[]string{
				`slow-consumer rule "ignore": want disconnect or drop-oldest`,
				`drain code 1000: want 1012 (service restart) or 1001 (going away)`,
				`write wait 0s: want at least 1ms`,
				`ping interval 1ms: want at least 10ms, or 0 for no pings`,
				`message limit 0: want at least 1`,
				`max connections -1: want at least 0`,
				`send queue 0: want at least 1`,
				`publish queue 0: want at least 1`,
			}},
	} {
		cfg := Default()
		c.edit(&cfg)
		_, err := New(cfg)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want := strings.Join(c.want, "\n"); got != want {
			t.Errorf("%s: error\n%s\nwant\n%s", c.why, got, want)
		}
	}
}
