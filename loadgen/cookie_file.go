package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// fileCookie is one cookie of a file and the URL that could have set it.
type fileCookie struct {
	from   *url.URL
	cookie *http.Cookie
}

// Fields of a line of a cookie file, in order, with tabs between them
// (curl's docs/HTTP-COOKIES.md).
const (
	cookieDomain     = iota
	cookieSubdomains // TRUE: it goes to hosts below the domain too
	cookiePath
	cookieSecure  // TRUE: it goes over TLS only
	cookieExpires // seconds since 1970; 0 is the end of the session
	cookieName
	cookieValue
	cookieFields
)

// httpOnlyPrefix begins the line of a cookie that scripts of a page cannot read,
// which is no concern of a client without a page.
const httpOnlyPrefix = "#HttpOnly_"

// maxCookieLine bounds a line, in bytes: browsers keep 4 KiB of a cookie.
const maxCookieLine = 64 << 10

// readCookieFile reads the cookies of a file in the format of Netscape, which curl -c
// and the extensions of browsers write. The error names the line.
func readCookieFile(path string) ([]fileCookie, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cookie jar: %w", err)
	}
	defer f.Close()
	var all []fileCookie
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxCookieLine)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSuffix(lines.Text(), "\r")
		line, httpOnly := strings.CutPrefix(line, httpOnlyPrefix)
		if !httpOnly && (strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "") {
			continue
		}
		c, err := parseCookieLine(line)
		if err != nil {
			return nil, fmt.Errorf("cookie jar %s:%d: %w", path, number, err)
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cookie jar %s:%d: %w", path, number+1, err)
	}
	return all, nil
}

// parseCookieLine reads one line. No error repeats the value, which may be a secret.
func parseCookieLine(line string) (fileCookie, error) {
	f := strings.Split(line, "\t")
	if len(f) == cookieFields-1 { // an empty value whose tab an editor has removed
		f = append(f, "")
	}
	if len(f) != cookieFields {
		return fileCookie{}, fmt.Errorf("%d fields with tabs between them; there must be %d: domain, TRUE or FALSE for subdomains, path, TRUE or FALSE for secure, expiry, name, value", len(f), cookieFields)
	}
	subdomains, ok := cookieFlag(f[cookieSubdomains])
	if !ok {
		return fileCookie{}, fmt.Errorf("the second field, whether subdomains get the cookie, is %q; use TRUE or FALSE", f[cookieSubdomains])
	}
	secure, ok := cookieFlag(f[cookieSecure])
	if !ok {
		return fileCookie{}, fmt.Errorf("the fourth field, whether the cookie is secure, is %q; use TRUE or FALSE", f[cookieSecure])
	}
	domain := strings.TrimPrefix(f[cookieDomain], ".")
	from := &url.URL{Scheme: "https", Host: domain, Path: f[cookiePath]}
	if u, err := url.Parse("https://" + domain + "/"); domain == "" || err != nil || u.Host != domain || u.Port() != "" {
		return fileCookie{}, fmt.Errorf("the first field, %q, is no domain", f[cookieDomain])
	}
	if !strings.HasPrefix(f[cookiePath], "/") {
		return fileCookie{}, fmt.Errorf("the third field, %q, is no path; begin with /", f[cookiePath])
	}
	expires, err := strconv.ParseInt(f[cookieExpires], 10, 64)
	if err != nil || expires < 0 {
		return fileCookie{}, fmt.Errorf("the fifth field, %q, is no time; use seconds since 1970, or 0 for the end of the session", f[cookieExpires])
	}
	c, err := parseCookie(f[cookieName] + "=" + f[cookieValue])
	if err != nil {
		return fileCookie{}, err
	}
	c.Path, c.Secure = f[cookiePath], secure
	if subdomains {
		c.Domain = domain
	}
	if expires > 0 {
		c.Expires = time.Unix(expires, 0)
	}
	return fileCookie{from, c}, nil
}

func cookieFlag(text string) (set, ok bool) {
	return text == "TRUE", text == "TRUE" || text == "FALSE"
}

// parseCookie reads NAME=VALUE (RFC 6265 section 4.1.1). No error repeats the value.
func parseCookie(text string) (*http.Cookie, error) {
	name, _, ok := strings.Cut(text, "=")
	if !ok {
		return nil, errors.New("cookie: there is no = in it; write it as NAME=VALUE")
	}
	if strings.Contains(text, ";") {
		return nil, fmt.Errorf("cookie %q: a semicolon ends a cookie; give each one its own", name)
	}
	parsed, err := http.ParseCookie(text)
	if err != nil || len(parsed) != 1 || parsed[0].Name != name {
		return nil, fmt.Errorf("cookie %q: its name or its value holds a character that no cookie may hold (RFC 6265 section 4.1.1)", name)
	}
	return parsed[0], nil
}
