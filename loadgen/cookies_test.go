package loadgen

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// cookieFile writes a cookie file and returns its path.
func cookieFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cookies.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sentTo is the Cookie header of client 7 in room 3 for a URL, with its names sorted.
func sentTo(t *testing.T, spec ConnectSpec, wsURL string) string {
	t.Helper()
	k, err := spec.cookies()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(wsURL)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := k.jar(&client{id: 7, room: 3}, u)
	if err != nil {
		t.Fatal(err)
	}
	sent := strings.Split(withCookies(http.Header{}, jar, u).Get("Cookie"), "; ")
	slices.Sort(sent)
	return strings.Join(sent, "; ")
}

func TestCookiesOfAFileGoWhereTheyBelong(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	file := cookieFile(t, "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\r\n\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t0\thost\t1\n"+
		".example.test\tTRUE\t/\tFALSE\t0\tbelow\t2\r\n"+
		"#HttpOnly_chat.example.test\tFALSE\t/ws\tFALSE\t"+fmt.Sprint(later)+"\tpath\t3\n"+
		"chat.example.test\tFALSE\t/\tTRUE\t0\tsecure\t4\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t1000000000\texpired\t5\n"+
		"127.0.0.1\tFALSE\t/\tFALSE\t0\tip\t6\n"+
		"chat.example.test\tFALSE\t/\tFALSE\t0\tempty\n"+
		"chat.example.test\tFALSE\t/quoted\tFALSE\t0\tq\t\"a b\"\n")
	for wsURL, want := range map[string]string{
		"wss://chat.example.test/ws/a":        "below=2; empty=; host=1; path=3; secure=4",
		"ws://chat.example.test/ws":           "below=2; empty=; host=1; path=3",
		"ws://chat.example.test:8080/wsx":     "below=2; empty=; host=1",
		"ws://chat.example.test/quoted":       `below=2; empty=; host=1; q="a b"`,
		"wss://other.example.test/ws":         "below=2",
		"ws://sub.chat.example.test/ws":       "below=2",
		"ws://notexample/":                    "",
		"ws://127.0.0.1:9/":                   "ip=6",
		"wss://chat.example.test.evil.net/ws": "",
	} {
		if got := sentTo(t, ConnectSpec{CookieJar: file}, wsURL); got != want {
			t.Errorf("%s gets %q, want %q", wsURL, got, want)
		}
	}
	spec := ConnectSpec{CookieJar: file, Cookies: []string{"host=mine", "who={name}", "at={room}.{client}"}}
	if got, want := sentTo(t, spec, "ws://chat.example.test/"), "at=r3.7; below=2; empty=; host=mine; who=c7"; got != want {
		t.Errorf("with cookies given: %q, want %q", got, want)
	}
}

// What curl writes is read, and curl and wsrig send the same of it.
func TestACookieFileOfCurlIsRead(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("curl is missing; install it: CI runs every test")
		}
		t.Skip("curl is not installed")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, c := range []string{"session=s1; HttpOnly", "lasting=s2; Max-Age=3600; Path=/ws", "tls=s3; Secure", "none=; Path=/"} {
			w.Header().Add("Set-Cookie", c)
		}
		fmt.Fprint(w, req.Header.Get("Cookie"))
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "jar")
	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(deadline(t), "curl", append([]string{"-sS", "--noproxy", "*"}, args...)...).Output()
		if err != nil {
			t.Fatalf("curl: %v", err)
		}
		return string(out)
	}
	curl("-c", file, srv.URL+"/")
	sent := strings.Split(curl("-b", file, srv.URL+"/ws"), "; ")
	slices.Sort(sent)
	want := strings.Join(sent, "; ")
	if got := sentTo(t, ConnectSpec{CookieJar: file}, strings.Replace(srv.URL, "http", "ws", 1)+"/ws"); got != want || !strings.Contains(got, "session=s1") || !strings.Contains(got, "lasting=s2") {
		t.Errorf("wsrig sends %q, curl %q", got, want)
	}
}

func TestACookieFileWithAMistakeNamesItsLine(t *testing.T) {
	const good = "a.example\tFALSE\t/\tFALSE\t0\tn\tsecret\n"
	for line, want := range map[string]string{
		"a.example FALSE / FALSE 0 n secret":               "1 fields with tabs",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsecret\tmore":   "8 fields",
		"a.example\tno\t/\tFALSE\t0\tn\tsecret":            `second field, whether subdomains get the cookie, is "no"`,
		"a.example\tFALSE\t/\tmaybe\t0\tn\tsecret":         `fourth field, whether the cookie is secure, is "maybe"`,
		"a.example\tFALSE\tws\tFALSE\t0\tn\tsecret":        `third field, "ws", is no path`,
		"a.example\tFALSE\t/\tFALSE\ttomorrow\tn\tsecret":  `fifth field, "tomorrow", is no time`,
		"a.example\tFALSE\t/\tFALSE\t-1\tn\tsecret":        `fifth field, "-1"`,
		"\tFALSE\t/\tFALSE\t0\tn\tsecret":                  `first field, "", is no domain`,
		"a/b\tFALSE\t/\tFALSE\t0\tn\tsecret":               `first field, "a/b", is no domain`,
		"a.example\tFALSE\t/\tFALSE\t0\t\tsecret":          "no cookie may hold",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsecret;x":       "semicolon",
		"a.example\tFALSE\t/\tFALSE\t0\tn\tsec\"ret":       "no cookie may hold",
		"Set-Cookie: n=secret":                             "1 fields",
		"a.example\t" + strings.Repeat("x", maxCookieLine): "token too long",
	} {
		path := cookieFile(t, good+"\n"+line+"\n"+good)
		_, err := (&ConnectSpec{CookieJar: path}).cookies()
		if err == nil || !strings.Contains(err.Error(), path+":3: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") && !strings.Contains(want, "1 fields") {
			t.Errorf("%.60q: error %v, want line 3 and %q", line, err, want)
		}
	}
	for _, given := range []string{"n", "=v", "a b=c", "n=v; m=w", "n=\x01"} {
		if _, err := (&ConnectSpec{Cookies: []string{given}}).cookies(); err == nil {
			t.Errorf("--cookie %q was accepted", given)
		}
	}
	if _, err := (&ConnectSpec{CookieJar: "none.txt"}).cookies(); err == nil || !strings.Contains(err.Error(), "none.txt") {
		t.Errorf("a file that is not there: %v", err)
	}
	if k, err := (&ConnectSpec{}).cookies(); k != nil || err != nil {
		t.Errorf("a spec without cookies keeps %v, %v", k, err)
	}
}

// FuzzCookieFile: what is read has a name and a host, and no error repeats a value.
func FuzzCookieFile(f *testing.F) {
	f.Add("chat.example\tFALSE\t/\tFALSE\t0\tn\tv")
	f.Add("#HttpOnly_.chat.example\tTRUE\t/ws\tTRUE\t1\tn\t")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCookieLine(line)
		if err == nil && (c.cookie.Name == "" || c.from.Host == "" || c.cookie.Valid() != nil && c.cookie.Domain == "") {
			t.Errorf("%q is read as %+v", line, c.cookie)
		}
	})
}
