package loadgen

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 1.3 asks for it
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer is the largest HTTP answer to a handshake, in bytes, headers only.
const maxAnswer = 64 << 10

// newKey draws a Sec-WebSocket-Key (RFC 6455 section 4.1, item 7).
func newKey() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(b[:])
}

// acceptFor is the Sec-WebSocket-Accept that answers a key (section 4.2.2).
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// appendRequest appends the HTTP request of a handshake (section 4.1).
func appendRequest(dst []byte, u *url.URL, d *Dial, key string) []byte {
	host := u.Host
	if h := d.Header.Get("Host"); h != "" {
		host = h
	}
	dst = append(dst, "GET "...)
	dst = append(dst, u.RequestURI()...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "...)
	dst = append(dst, key...)
	dst = append(dst, "\r\nSec-WebSocket-Version: 13\r\n"...)
	if len(d.Subprotocol) > 0 {
		dst = append(dst, "Sec-WebSocket-Protocol: "...)
		dst = append(dst, strings.Join(d.Subprotocol, ", ")...)
		dst = append(dst, "\r\n"...)
	}
	for name, values := range d.Header {
		if name == "Host" {
			continue
		}
		for _, v := range values {
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, v...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}

// parseAnswer reads the HTTP answer at the start of b. ok is false when b does not
// hold all of its headers yet. rest is what came behind them: frames.
func parseAnswer(b []byte, d *Dial, key string) (h http.Header, rest []byte, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxAnswer {
			return nil, nil, false, &HandshakeError{outcomeBad101, fmt.Errorf("the answer's headers are longer than %d bytes", maxAnswer)}
		}
		return nil, nil, false, nil
	}
	end += 4
	resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(b[:end]), 256), nil)
	if err != nil {
		return nil, nil, false, &HandshakeError{outcomeOther, fmt.Errorf("the answer is no HTTP: %w", err)}
	}
	// The body, if any, is not of interest; there is nothing to close behind it.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, false, &HandshakeError{httpOutcome(resp.StatusCode), answeredInstead(resp.StatusCode)}
	}
	if err := checkAnswer(resp.Header, d, key); err != nil {
		return nil, nil, false, &HandshakeError{outcomeBad101, err}
	}
	return resp.Header, b[end:], true, nil
}

// checkAnswer holds a 101 to RFC 6455 section 4.1, "the client MUST validate".
func checkAnswer(h http.Header, d *Dial, key string) error {
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"):
		return fmt.Errorf("the header Upgrade is %q, not websocket", h.Get("Upgrade"))
	case !hasToken(h.Values("Connection"), "upgrade"):
		return fmt.Errorf("the header Connection is %q and does not have Upgrade", h.Get("Connection"))
	case h.Get("Sec-WebSocket-Accept") != acceptFor(key):
		return errors.New("the header Sec-WebSocket-Accept does not answer the key")
	case h.Get("Sec-WebSocket-Extensions") != "":
		return fmt.Errorf("the extension %q was not asked for", h.Get("Sec-WebSocket-Extensions"))
	}
	if p := h.Get("Sec-WebSocket-Protocol"); p != "" && !hasToken(d.Subprotocol, p) {
		return fmt.Errorf("the subprotocol %q was not asked for", p)
	}
	return nil
}

// hasToken looks for a token in comma-separated lists.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for t := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
