package chatnode

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
)

// Rules for a client that reads more slowly than its room speaks.
const (
	// SlowDisconnect closes it with 1008 when its send queue is full.
	SlowDisconnect = "disconnect"
	// SlowDropOldest keeps it and drops the oldest message of its full queue.
	SlowDropOldest = "drop-oldest"
)

// Close codes a drain may use (RFC 6455 section 7.4.1 and the IANA registry).
const (
	CloseGoingAway      = 1001
	CloseServiceRestart = 1012
)

// Config is everything that can be set about a node. Start from Default.
type Config struct {
	// Name is the node's name in envelopes, in X-Chat-Node and in its log: 1 to 64
	// visible ASCII characters.
	Name string
	// Bus carries messages between nodes: "redis", or "none" for a node alone.
	Bus string
	// RedisURL is redis://[user:password@]host:port[/db] (rediss:// for TLS), for
	// the bus "redis".
	RedisURL string
	// PublishQueue is how many messages may wait for the bus. When it is full the
	// node stops reading from the clients that publish more, until there is space.
	PublishQueue int

	// PingInterval is the time between two pings to a client, counted from its own
	// 101. 0 sends none.
	PingInterval time.Duration
	// PongWait is how long a client may be silent, pongs included, before it is
	// dropped. It must be longer than PingInterval. 0 never drops for silence.
	PongWait time.Duration
	// WriteWait is how long a client may take no byte at all while the node has
	// something to send, before it is dropped.
	WriteWait time.Duration
	// CloseWait is how long the node waits for the answer to its close frame
	// before it ends the TCP connection.
	CloseWait time.Duration
	// JoinWait is how long a handshake may wait for the room's subscription
	// before it is answered 503.
	JoinWait time.Duration
	// HandshakeTimeout is how long a TCP connection may take to send its request.
	HandshakeTimeout time.Duration

	// MessageLimit is the largest message taken from a client in bytes, after
	// decompression. A larger one closes the connection with 1009.
	MessageLimit int64
	// MaxConnections is how many clients may be connected; a further handshake is
	// answered 503. 0 sets no limit.
	MaxConnections int
	// SendQueue is how many messages may wait for one client.
	SendQueue int
	// SlowConsumer is what happens when a send queue is full: SlowDisconnect or
	// SlowDropOldest.
	SlowConsumer string

	// Origins are the allowed values of the Origin header: host, host:port or
	// scheme://host[:port], in any case; "*" allows all. With none, an Origin must
	// name the host the request was sent to. Requests without Origin, from
	// programs that are no browsers, are always allowed (RFC 6455 section 10.2).
	Origins []string
	// Compression offers permessage-deflate (RFC 7692) without context takeover.
	Compression bool

	// History is how many messages of each room Redis keeps for browsers that come
	// back, which get them with their hello. 0 keeps none and costs nothing; more
	// makes every publish a transaction of four commands. It needs the bus "redis".
	History int

	// DrainWindow is the time over which a drain spreads its close frames. 0
	// sends them all at once.
	DrainWindow time.Duration
	// DrainCode is the code of these frames: CloseServiceRestart or CloseGoingAway.
	DrainCode int

	// Log receives the node's log, one line per ended connection included. nil
	// discards it.
	Log *slog.Logger
}

// Default returns the configuration of a node named n1 on a Redis at its usual
// address on this host.
func Default() Config {
	return Config{
		Name:             "n1",
		Bus:              "redis",
		RedisURL:         "redis://127.0.0.1:6379",
		PublishQueue:     1024,
		PingInterval:     0,
		PongWait:         0,
		WriteWait:        10 * time.Second,
		CloseWait:        time.Second,
		JoinWait:         2 * time.Second,
		HandshakeTimeout: 5 * time.Second,
		MessageLimit:     64 << 10,
		SendQueue:        64,
		SlowConsumer:     SlowDisconnect,
		DrainWindow:      2 * time.Second,
		DrainCode:        CloseServiceRestart,
	}
}

// validate returns everything that is wrong with c, joined, or nil.
func (c Config) validate() error {
	return errors.Join(c.validateNames(), c.validateTimes(), c.validateSizes())
}

func (c Config) validateNames() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	visible := func(r rune) bool { return r > ' ' && r < unicode.MaxASCII }
	if c.Name == "" || len(c.Name) > maxName || strings.TrimFunc(c.Name, visible) != "" {
		bad("name %q: want 1 to %d visible ASCII characters, as it travels in a header", c.Name, maxName)
	}
	if _, ok := buses[c.Bus]; !ok {
		bad("bus %q: want one of %s", c.Bus, strings.Join(busNames(), ", "))
	}
	if c.Bus == "redis" {
		if _, err := redis.ParseURL(c.RedisURL); err != nil {
			bad("redis url: %w; want redis://host:port", err)
		}
	}
	if c.SlowConsumer != SlowDisconnect && c.SlowConsumer != SlowDropOldest {
		bad("slow-consumer rule %q: want %s or %s", c.SlowConsumer, SlowDisconnect, SlowDropOldest)
	}
	for _, o := range c.Origins {
		if _, err := parseOrigin(o); err != nil {
			errs = append(errs, err)
		}
	}
	if c.DrainCode != CloseServiceRestart && c.DrainCode != CloseGoingAway {
		bad("drain code %d: want %d (service restart) or %d (going away)", c.DrainCode, CloseServiceRestart, CloseGoingAway)
	}
	return errors.Join(errs...)
}

func (c Config) validateTimes() error {
	var errs []error
	for _, t := range []struct {
		name  string
		value time.Duration
		min   time.Duration
	}{
		{"ping interval", c.PingInterval, 0},
		{"pong wait", c.PongWait, 0},
		{"write wait", c.WriteWait, time.Millisecond},
		{"close wait", c.CloseWait, time.Millisecond},
		{"join wait", c.JoinWait, time.Millisecond},
		{"handshake timeout", c.HandshakeTimeout, time.Millisecond},
		{"drain window", c.DrainWindow, 0},
	} {
		if t.value < t.min {
			errs = append(errs, fmt.Errorf("%s %v: want at least %v", t.name, t.value, t.min))
		}
	}
	if c.PongWait > 0 && c.PongWait <= c.PingInterval {
		errs = append(errs, fmt.Errorf("pong wait %v: want longer than the ping interval %v, or each client is dropped between two pings",
			c.PongWait, c.PingInterval))
	}
	if c.PingInterval > 0 && c.PingInterval < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("ping interval %v: want at least 10ms, or 0 for no pings", c.PingInterval))
	}
	return errors.Join(errs...)
}

func (c Config) validateSizes() error {
	var errs []error
	for _, s := range []struct {
		name       string
		value, min int64
	}{
		{"message limit", c.MessageLimit, 1},
		{"max connections", int64(c.MaxConnections), 0},
		{"send queue", int64(c.SendQueue), 1},
		{"publish queue", int64(c.PublishQueue), 1},
		{"history", int64(c.History), 0},
	} {
		if s.value < s.min {
			errs = append(errs, fmt.Errorf("%s %d: want at least %d", s.name, s.value, s.min))
		}
	}
	if c.History > 0 && c.Bus != "redis" {
		errs = append(errs, fmt.Errorf("history %d: Redis keeps it, so use the bus redis, or 0", c.History))
	}
	return errors.Join(errs...)
}

// maxName is the length limit of the names of rooms, clients and nodes in bytes.
const maxName = 64

// checkName returns why s cannot name a room or a client; what is either word.
func checkName(what, s string) error {
	switch {
	case len(s) > maxName:
		return fmt.Errorf("%s is %d bytes long; at most %d are allowed", what, len(s), maxName)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not UTF-8", what)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%s contains a control character", what)
	}
	return nil
}

// busNames lists the implementations of the bus, sorted.
func busNames() []string {
	var names []string
	for name := range buses {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
