package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Remote drives a worker over its control API.
type Remote struct {
	Addr  string // host:port
	Token string
}

// silenceLimit is how long a worker may send nothing before it is given up: one that
// is alive shows so every second, but a Snapshot takes a while to put together.
const silenceLimit = 30 * time.Second

// errSilent is why a call to a worker that says nothing any more ends.
var errSilent = fmt.Errorf("the worker has said nothing for %s: it is frozen, or the network is gone", silenceLimit)

// control is the HTTP client of the control API. It takes no notice of HTTP_PROXY,
// which is meant for other traffic, and keeps no connection.
var control = &http.Client{Transport: &http.Transport{
	DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableKeepAlives: true,
}}

// Call sends a command and returns its result. progress is called for every report
// on the way, from this goroutine; it may be nil. The error names the worker and
// the command.
func Call[R any](ctx context.Context, r Remote, command string, spec any, progress func(Progress)) (R, error) {
	result, err := call[R](ctx, r, command, spec, progress)
	if err != nil {
		return result, fmt.Errorf("worker %s: %s: %w", r.Addr, command, err)
	}
	return result, nil
}

func call[R any](ctx context.Context, r Remote, command string, spec any, progress func(Progress)) (R, error) {
	var zero R
	body, err := json.Marshal(spec)
	if err != nil {
		return zero, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silenceLimit, func() { cancel(errSilent) })
	defer silence.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Addr+"/v1/"+command, bytes.NewReader(body))
	if err != nil {
		return zero, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := control.Do(req)
	if err != nil {
		return zero, because(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // best effort: the status says enough
		return zero, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	result, err := readEvents[R](resp.Body, func(p *Progress) {
		silence.Reset(silenceLimit)
		if p != nil && progress != nil {
			progress(*p)
		}
	})
	return result, because(ctx, err)
}

// because prefers the reason that a call was cancelled for to how that showed.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// readEvents reads a command's answer up to its result. alive is called for every
// event before, with its progress if it has any.
func readEvents[R any](body io.Reader, alive func(*Progress)) (R, error) {
	var zero R
	in := bufio.NewReaderSize(body, 4<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil { // what there is of the line is cut short
			return zero, fmt.Errorf("the answer ended without a result, so the worker has died: %w", err)
		}
		var e struct {
			Progress *Progress       `json:"progress"`
			Result   json.RawMessage `json:"result"`
			Error    string          `json:"error"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return zero, fmt.Errorf("answer: %w", err)
		}
		switch {
		case e.Error != "":
			return zero, errors.New(e.Error)
		case e.Result != nil:
			var result R
			if err := json.Unmarshal(e.Result, &result); err != nil {
				return zero, fmt.Errorf("result: %w", err)
			}
			return result, nil
		}
		alive(e.Progress)
	}
}
