package nginx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsrig/internal/result"
	"wsrig/testbed"
	"wsrig/testbed/conftext"
)

// builtIn is proxy_read_timeout where no file sets it (manual of
// ngx_http_proxy_module).
const builtIn = 60 * time.Second

// Declared tells how long cfg lets a tunnel on path be idle. Only proxy_read_timeout
// does: after the upgrade Nginx reads both sides under it, and any byte in either
// direction starts it anew. proxy_send_timeout, proxy_connect_timeout, send_timeout
// and keepalive_timeout do not cut an idle tunnel. It holds from the location that
// Nginx chooses for path, or the nearest block around it, else it is the built-in 60 s.
// When the file passes the request on to a server block of its own, the smallest value
// along the way wins. Where names the line in the user's file or the shipped variant.
func (Driver) Declared(cfg testbed.Config, path string) (result.Declared, error) {
	f, err := parseForReaders(cfg)
	if err != nil {
		return result.Declared{}, err
	}
	server, err := f.clientFacing(choice(cfg.Source))
	if err != nil {
		return result.Declared{}, err
	}
	path, _, _ = strings.Cut(path, "?")
	l, err := f.idleLimit(server, path, nil)
	if err != nil {
		return result.Declared{}, err
	}
	d := result.Declared{IdleTimeout: l.value.Seconds(), Directive: "proxy_read_timeout", Where: "built-in default", Why: l.why}
	if l.by != nil {
		d.Where = fmt.Sprintf("%s:%d (%s)", l.by.in.name, l.by.line, l.by.outer().title())
	}
	if l.hops > 1 {
		d.Why += fmt.Sprintf("; the smallest of %d hops", l.hops)
	}
	return d, nil
}

// parseForReaders parses what people read: the user's own file as it is, and a
// shipped variant as rendered, with its lines numbered as in the variant's file.
func parseForReaders(cfg testbed.Config) (*file, error) {
	if cfg.Source.Own {
		return parse(fileName(cfg.Source), ownDir(cfg.Source), cfg.Source.Text)
	}
	f, err := parse(fileName(cfg.Source), "", cfg.Text)
	if err != nil {
		return nil, err
	}
	origins, err := conftext.Origins(cfg.Source.Name, cfg.Source.Text, fieldsFor(cfg.Input))
	if err != nil {
		return nil, err
	}
	f.main.walk(func(d *directive) {
		if d.line <= len(origins) {
			d.line = origins[d.line-1]
		}
	})
	return f, nil
}

// limit is the idle limit of one server block or of a chain.
type limit struct {
	value time.Duration
	by    *directive // nil for the built-in value
	why   string
	hops  int
}

func (f *file) idleLimit(server *directive, path string, above []*directive) (limit, error) {
	if slices.Contains(above, server) {
		return limit{}, fmt.Errorf("%s:%d: this server block passes %s back to itself", server.in.name, server.line, path)
	}
	above = append(slices.Clone(above), server)
	if l := redirects(server, path); l != nil {
		return limit{}, fmt.Errorf("%s:%d: %s answers %s with a redirect to %s/: ask for that, or take the slash away", l.in.name, l.line, l.title(), path, path)
	}
	location, err := locate(server, path)
	if err != nil {
		return limit{}, err
	}
	if location == nil {
		return limit{}, fmt.Errorf("%s:%d: no location of this server block is for %s", server.in.name, server.line, path)
	}
	passes := proxyPasses(location)
	if len(passes) == 0 {
		return limit{}, fmt.Errorf("%s:%d: %s is the location for %s and has no proxy_pass", location.in.name, location.line, location.title(), path)
	}
	l, err := readTimeout(location)
	if err != nil {
		return limit{}, err
	}
	for _, pass := range passes {
		members, err := f.members(pass)
		if err != nil {
			return limit{}, err
		}
		for _, m := range members {
			hop := f.hop(m)
			if hop == nil {
				continue
			}
			inner, err := f.idleLimit(hop, path, above)
			if err != nil {
				return limit{}, err
			}
			hops := l.hops + inner.hops
			if inner.value < l.value {
				l = inner
			}
			l.hops = hops
		}
	}
	return l, nil
}

// readTimeout is the proxy_read_timeout that holds in a location.
func readTimeout(location *directive) (limit, error) {
	l := limit{value: builtIn, by: location.inherited("proxy_read_timeout"), hops: 1}
	title := location.title()
	if l.by == nil {
		l.why = "proxy_read_timeout is set nowhere around " + title + ": Nginx's built-in 60s holds"
	} else {
		var err error
		if l.value, err = parseTime(l.by.arg(0)); err != nil {
			return l, fmt.Errorf("%s:%d: proxy_read_timeout: %w", l.by.in.name, l.by.line, err)
		}
		if l.value == 0 {
			return l, fmt.Errorf("%s:%d: proxy_read_timeout 0 is not unlimited: Nginx answers every handshake with status 504", l.by.in.name, l.by.line)
		}
		l.why = "proxy_read_timeout of " + title
		if l.by.outer() != location {
			l.why = fmt.Sprintf("%s has no proxy_read_timeout of its own and inherits that of %s", title, l.by.outer().title())
		}
	}
	if !forwardsUpgrade(location) {
		l.why += "; but this location does not pass the Upgrade header on, so no handshake can succeed"
	}
	return l, nil
}

// timeUnits are those of Nginx's "Configuration file measurement units", in the
// order in which they may follow each other; no unit is seconds.
var timeUnits = []struct {
	name string
	unit time.Duration
}{
	{"y", 365 * 24 * time.Hour}, {"M", 30 * 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour},
	{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// parseTime reads an Nginx time such as 60, 1h30m or "1s 500ms".
func parseTime(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no time: numbers with y, M, w, d, h, m, s, ms from large to small (seconds without a unit)", s)
	var total time.Duration
	next := 0
	for rest := strings.TrimSpace(s); rest != "" || next == 0; rest = strings.TrimLeft(rest, " ") {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "yMwdhms"))
		name := rest[:letters]
		rest = rest[letters:]
		if name == "" {
			name = "s"
		}
		at := slices.IndexFunc(timeUnits, func(u struct {
			name string
			unit time.Duration
		}) bool {
			return u.name == name
		})
		if at < next {
			return 0, bad
		}
		next = at + 1
		if n > int64(math.MaxInt32*time.Millisecond/timeUnits[at].unit) {
			return 0, fmt.Errorf("%q is more than the 2147483647 ms that Nginx's timers take", s)
		}
		total += time.Duration(n) * timeUnits[at].unit
	}
	return total, nil
}
