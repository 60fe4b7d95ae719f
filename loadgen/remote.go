package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Remote drives a worker over its control API.
type Remote struct {
	Addr  string // host:port
	Token string
}

// Call sends a command and returns its result. progress is called for every report
// on the way, from this goroutine.
func Call[R any](ctx context.Context, r Remote, command string, spec any, progress func(Progress)) (R, error) {
	var zero R
	body, err := json.Marshal(spec)
	if err != nil {
		return zero, fmt.Errorf("worker %s: %s: %w", r.Addr, command, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Addr+"/v1/"+command, bytes.NewReader(body))
	if err != nil {
		return zero, fmt.Errorf("worker %s: %s: %w", r.Addr, command, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return zero, fmt.Errorf("worker %s: %s: %w", r.Addr, command, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // best effort: the status says enough
		return zero, fmt.Errorf("worker %s: %s: %s: %s", r.Addr, command, resp.Status, strings.TrimSpace(string(text)))
	}
	result, err := readEvents[R](resp.Body, progress)
	if err != nil {
		return zero, fmt.Errorf("worker %s: %s: %w", r.Addr, command, err)
	}
	return result, nil
}

// readEvents reads a command's answer up to its result.
func readEvents[R any](body io.Reader, progress func(Progress)) (R, error) {
	var zero R
	in := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				return zero, errors.New("the answer ended without a result: the worker has died")
			}
			return zero, err
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
		case e.Progress != nil:
			if progress != nil {
				progress(*e.Progress)
			}
		case e.Result != nil:
			var result R
			if err := json.Unmarshal(e.Result, &result); err != nil {
				return zero, fmt.Errorf("result: %w", err)
			}
			return result, nil
		}
	}
}
