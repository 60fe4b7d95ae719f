package chatnode

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// origin is an entry of the list of allowed origins. An empty scheme or port matches
// any.
type origin struct {
	scheme, host, port string
}

// anyOrigin is the entry that allows every Origin header.
const anyOrigin = "*"

// parseOrigin reads an allowed origin: "*", host, host:port or scheme://host[:port].
func parseOrigin(s string) (origin, error) {
	if s == anyOrigin {
		return origin{host: anyOrigin}, nil
	}
	text := s
	if !strings.Contains(s, "://") {
		text = "//" + s
	}
	u, err := url.Parse(text)
	// An origin ends with its port (RFC 6454 section 6.2); a path in the list is a
	// mistake that would never match.
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, fmt.Errorf("origin %q: want *, host, host:port or scheme://host[:port]", s)
	}
	return origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: portOf(u)}, nil
}

// matches reports whether the allowed origin o covers the origin of a request.
func (o origin) matches(got origin) bool {
	return o.host == anyOrigin ||
		o.host == got.host &&
			(o.scheme == "" || o.scheme == got.scheme) &&
			(o.port == "" || o.port == got.port)
}

// portOf returns the port of u, or the default one of its scheme, or "".
func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
}

// originAllowed applies the list to the Origin header of r (RFC 6455 section 10.2).
// With an empty list the Origin must name the host and port that r was sent to.
func originAllowed(r *http.Request, allowed []origin) bool {
	header := r.Header.Get("Origin")
	if header == "" {
		return true
	}
	u, err := url.Parse(header)
	if err != nil {
		return false
	}
	if len(allowed) == 0 {
		return strings.EqualFold(u.Host, r.Host)
	}
	got := origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: portOf(u)}
	for _, o := range allowed {
		if o.matches(got) {
			return true
		}
	}
	return false
}
