package loadgen

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
)

// cookies are what the clients of a connect command begin with. nil is for clients
// that keep no cookies.
type cookies struct {
	given []string // NAME=VALUE, which fill fills in
	file  []fileCookie
}

// cookies reads what a spec says of cookies; nil if it says nothing.
func (s *ConnectSpec) cookies() (*cookies, error) {
	if len(s.Cookies) == 0 && s.CookieJar == "" && s.Visit == "" {
		return nil, nil
	}
	c := &cookies{given: s.Cookies}
	var errs []error
	for _, given := range s.Cookies {
		if _, err := parseCookie(sample(given)); err != nil {
			errs = append(errs, err)
		}
	}
	if s.CookieJar != "" {
		var err error
		if c.file, err = readCookieFile(s.CookieJar); err != nil {
			errs = append(errs, err)
		}
	}
	return c, errors.Join(errs...)
}

// jar makes the cookie jar of one client (RFC 6265 section 5.3): the cookies of the
// file, and those given, which are of the host of its WebSocket URL.
func (k *cookies) jar(c *client, wsURL *url.URL) (http.CookieJar, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	for _, f := range k.file {
		jar.SetCookies(f.from, []*http.Cookie{f.cookie})
	}
	for _, given := range k.given {
		one, err := parseCookie(c.fill(given))
		if err != nil {
			return nil, err
		}
		one.Path = "/"
		jar.SetCookies(asHTTP(wsURL), []*http.Cookie{one})
	}
	return jar, nil
}

// asHTTP is a WebSocket's URL as cookies see it: they know http and https only, and
// go to ws and wss alike (RFC 6455 section 4.1, item 12).
func asHTTP(u *url.URL) *url.URL {
	h := *u
	h.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	return &h
}

// withCookies is a handshake's header and the cookies that a jar has for its URL,
// behind those of a Cookie header of the caller's own.
func withCookies(header http.Header, jar http.CookieJar, wsURL *url.URL) http.Header {
	held := jar.Cookies(asHTTP(wsURL))
	if len(held) == 0 {
		return header
	}
	req := http.Request{Header: header.Clone()}
	for _, c := range held {
		req.AddCookie(c)
	}
	return req.Header
}

// jars are the cookie jars of those clients that keep cookies.
type jars struct {
	mu   sync.Mutex
	byID map[uint32]keptJar
}

type keptJar struct {
	http.CookieJar
	url *url.URL // of the client's WebSocket
}

func (j *jars) keep(id uint32, jar http.CookieJar, wsURL *url.URL) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.byID == nil {
		j.byID = make(map[uint32]keptJar)
	}
	j.byID[id] = keptJar{jar, wsURL}
}

// answered keeps what a 101 sets (RFC 6265 section 3: any response may).
func (j *jars) answered(id uint32, header http.Header) {
	if len(header["Set-Cookie"]) == 0 {
		return
	}
	j.mu.Lock()
	jar, ok := j.byID[id]
	j.mu.Unlock()
	if ok {
		resp := http.Response{Header: header}
		jar.SetCookies(asHTTP(jar.url), resp.Cookies())
	}
}
