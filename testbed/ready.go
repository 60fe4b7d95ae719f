package testbed

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// httpReady probes that a GET of path on a unit's port answers 200.
func httpReady(port, path string) func(context.Context, Instance) error {
	return func(ctx context.Context, inst Instance) error {
		_, err := httpGet(ctx, "http://"+inst.Unit().Ports[port].Host+path)
		return err
	}
}

// httpAnswers probes that a GET of path is answered, with the page or with any word of
// a server that does not have it, as 404 or 426, but not with a failure of its own
// (5xx, RFC 9110 section 15.6).
func httpAnswers(port, path string) func(context.Context, Instance) error {
	return func(ctx context.Context, inst Instance) error {
		url := "http://" + inst.Unit().Ports[port].Host + path
		resp, body, err := httpFetch(ctx, url)
		if err == nil && resp.StatusCode >= http.StatusInternalServerError {
			err = unwelcome(url, resp, body)
		}
		return err
	}
}

// httpGet reads a small page. Any status but 200 is an error with the text.
func httpGet(ctx context.Context, url string) ([]byte, error) {
	resp, body, err := httpFetch(ctx, url)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, unwelcome(url, resp, body)
	}
	return body, nil
}

// unwelcome is the error of an answer that is not the one hoped for.
func unwelcome(url string, resp *http.Response, body []byte) error {
	return fmt.Errorf("GET %s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
}

// httpFetch reads a small page, whatever its status. The answer's body is closed.
func httpFetch(ctx context.Context, url string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Close = true // no idle connection is left to be counted
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, fmt.Errorf("GET %s: %w", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("GET %s: %w", url, err)
	}
	return resp, body, nil
}

// redisReady probes with a PING (RESP, an array of one bulk string).
func redisReady(ctx context.Context, inst Instance) error {
	addr := inst.Unit().Ports["redis"].Host
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(probeTimeout)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("redis at %s: PING: %w", addr, err)
	}
	if strings.TrimSpace(line) != "+PONG" {
		return fmt.Errorf("redis at %s: PING answered %q", addr, strings.TrimSpace(line))
	}
	return nil
}

func splitAddr(addr string) (host string, port int) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		panic("testbed: address without a port: " + addr) // a runtime's mistake
	}
	port, err = strconv.Atoi(p)
	if err != nil {
		panic("testbed: port is no number: " + addr)
	}
	return host, port
}
