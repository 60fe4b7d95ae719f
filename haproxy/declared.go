package haproxy

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

// Declared tells how long cfg lets a tunnel on path be idle, by the rules of
// HAProxy's configuration manual:
//
//   - "timeout tunnel": once a connection is a tunnel (after the 101 in mode http,
//     always in mode tcp) it replaces both timeout client and timeout server. It is
//     read from the backend; a frontend's is ignored with a warning.
//   - without it, the smaller of timeout client (of the frontend) and timeout server
//     (of the backend) ends the tunnel.
//   - 0 is the same as not set, everywhere.
//   - a section's own line beats that of its defaults section.
//   - "http-request set-timeout" in the backend beats both.
//   - when the file chains proxies (a server that is a bind of the same file), the
//     smallest value along the way wins.
//
// The timeouts http-request, http-keep-alive, client-fin and server-fin do not apply
// to an established idle tunnel. Where names the line in the user's file or in the
// shipped variant, never in the rendered text. It is an error when the value hangs
// on a condition that the rig cannot judge for path.
func (Driver) Declared(cfg testbed.Config, path string) (result.Declared, error) {
	f, err := parseForReaders(cfg)
	if err != nil {
		return result.Declared{}, err
	}
	front, err := f.clientFacing(choice(cfg.Source))
	if err != nil {
		return result.Declared{}, err
	}
	path, _, _ = strings.Cut(path, "?")
	l, err := f.idleLimit(front, handshake{path}, nil)
	if err != nil {
		return result.Declared{}, err
	}
	return l.declared(f), nil
}

// parseForReaders parses what people read: the user's own file as it is, and a
// shipped variant as rendered, with its lines numbered as in the variant's file.
func parseForReaders(cfg testbed.Config) (*file, error) {
	if cfg.Source.Own {
		return parse(fileName(cfg.Source), cfg.Source.Text)
	}
	f, err := parse(fileName(cfg.Source), cfg.Text)
	if err != nil {
		return nil, err
	}
	origins, err := conftext.Origins(cfg.Source.Name, cfg.Source.Text, fieldsFor(cfg.Input))
	if err != nil {
		return nil, err
	}
	for _, s := range f.sections {
		for _, l := range append([]*line{s.head}, s.lines...) {
			if l.num > len(origins) {
				return nil, fmt.Errorf("%s: line %d of the rendered text is not in the variant", f.name, l.num)
			}
			l.num = origins[l.num-1]
		}
	}
	return f, nil
}

// limit is the idle limit of one hop or of a chain.
type limit struct {
	value     time.Duration // 0: none
	directive string
	by        *line // nil without a limit
	back      *section
	why       string
	hops      int // hops of the chain this is the smallest of
}

// idleLimit is the smallest limit from front to the nodes.
func (f *file) idleLimit(front *section, h handshake, above []*section) (limit, error) {
	if slices.Contains(above, front) {
		return limit{}, fmt.Errorf("%s:%d: %s leads back to itself", f.name, front.head.num, front.title())
	}
	above = append(slices.Clone(above), front)
	var first limit
	var firstBy *line
	routes := f.routes(front, h)
	if len(routes) == 0 {
		return limit{}, fmt.Errorf("%s:%d: %s sends %s to no backend", f.name, front.head.num, front.title(), h.path)
	}
	for i, r := range routes {
		l, err := f.hopLimit(front, r.to, h)
		if err != nil {
			return limit{}, err
		}
		l.hops = 1
		for _, sv := range r.to.servers() {
			next := f.hop(sv)
			if next == nil {
				continue
			}
			inner, err := f.idleLimit(next, h, above)
			if err != nil {
				return limit{}, err
			}
			hops := l.hops + inner.hops
			if inner.value > 0 && (l.value == 0 || inner.value < l.value) {
				l = inner
			}
			l.hops = hops
		}
		if i == 0 {
			first, firstBy = l, r.by
		} else if l.value != first.value {
			return limit{}, fmt.Errorf("%s:%d: whether %s goes to %s (%s) or %s (%s) hangs on a condition that cannot be judged beforehand",
				f.name, firstBy.num, h.path, first.back.title(), spell(first.value), l.back.title(), spell(l.value))
		}
	}
	return first, nil
}

// hopLimit applies the rules to one frontend and one backend.
func (f *file) hopLimit(front, back *section, h handshake) (limit, error) {
	tunnel, tunnelBy, err := f.timeout(back, "tunnel", h)
	if err != nil {
		return limit{}, err
	}
	client, clientBy, err := f.timeout(front, "client", h)
	if err != nil {
		return limit{}, err
	}
	srv, serverBy, err := f.timeout(back, "server", h)
	if err != nil {
		return limit{}, err
	}
	if tunnel > 0 {
		return limit{tunnel, "timeout tunnel", tunnelBy, back,
			"once it is a tunnel, timeout tunnel of the backend replaces timeout client and timeout server", 0}, nil
	}
	missing := "no timeout tunnel"
	if tunnelBy != nil {
		missing = fmt.Sprintf("timeout tunnel 0 (line %d) means not set", tunnelBy.num)
	}
	switch {
	case client == 0 && srv == 0:
		return limit{0, "", nil, back, missing + ", and neither timeout client nor timeout server is set: nothing ends an idle tunnel", 0}, nil
	case srv == 0:
		return limit{client, "timeout client", clientBy, back, missing + ", and no timeout server: timeout client " + spell(client), 0}, nil
	case client == 0:
		return limit{srv, "timeout server", serverBy, back, missing + ", and no timeout client: timeout server " + spell(srv), 0}, nil
	}
	l := limit{client, "timeout client", clientBy, back, "", 0}
	if srv < client {
		l = limit{srv, "timeout server", serverBy, back, "", 0}
	}
	l.why = fmt.Sprintf("%s: the smaller of timeout client %s and timeout server %s", missing, spell(client), spell(srv))
	return l, nil
}

// timeout returns a timeout of a section and the line that sets it, nil without one.
func (f *file) timeout(s *section, name string, h handshake) (time.Duration, *line, error) {
	by, value := s.last("timeout", name), ""
	if by != nil {
		value = by.arg(2)
	}
	for _, l := range s.lines {
		if !l.starts("http-request", "set-timeout", name) || s.mode() != "http" {
			continue
		}
		switch s.judge(l, 4, h) {
		case yes:
			by, value = l, l.arg(3)
		case maybe:
			return 0, nil, fmt.Errorf("%s:%d: set-timeout %s hangs on a condition that cannot be judged beforehand", f.name, l.num, name)
		}
	}
	if by == nil {
		return 0, nil, nil
	}
	d, err := parseTime(value)
	if err != nil {
		return 0, nil, fmt.Errorf("%s:%d: timeout %s: %w", f.name, by.num, name, err)
	}
	return d, by, nil
}

func (l limit) declared(f *file) result.Declared {
	d := result.Declared{IdleTimeout: l.value.Seconds(), Directive: l.directive, Where: "nowhere", Why: l.why}
	if l.by != nil {
		place := l.by.in.title()
		if l.by.in.kind == "defaults" && l.directive != "timeout client" {
			place += ", for " + l.back.title()
		}
		d.Where = fmt.Sprintf("%s:%d (%s)", f.name, l.by.num, place)
	}
	if l.hops > 1 {
		d.Why += fmt.Sprintf("; the smallest of %d hops", l.hops)
	}
	return d
}

// timeUnits are those of the manual's section 2.5; without one it is milliseconds.
var timeUnits = map[string]time.Duration{
	"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
	"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// maxTime is the largest timeout HAProxy takes: 2^31-1 milliseconds, 24.8 days.
const maxTime = math.MaxInt32 * time.Millisecond

// parseTime reads a HAProxy time. HAProxy keeps whole milliseconds and rounds up.
func parseTime(s string) (time.Duration, error) {
	digits := strings.TrimRight(s, "usmhd")
	unit, ok := timeUnits[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no time: a number with us, ms, s, m, h or d (ms without a unit)", s)
	}
	if n > int64(maxTime/unit) {
		return 0, fmt.Errorf("%q is more than the 2147483647 ms that HAProxy takes", s)
	}
	d := time.Duration(n) * unit
	return (d + time.Millisecond - 1).Truncate(time.Millisecond), nil
}

// spell writes a time as people write it in a configuration.
func spell(d time.Duration) string {
	switch {
	case d == 0:
		return "none"
	case d%time.Second != 0:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}
