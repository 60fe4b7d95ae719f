package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxReason is how much of an unhealthy answer is shown, in bytes.
const maxReason = 512

func newHealthcheckCommand() *cobra.Command {
	timeout := 2 * time.Second
	cmd := &cobra.Command{
		Use:   "healthcheck URL",
		Short: "Exit with 0 if a URL answers with 200, for images that have no shell",
		Long: `Ask for a URL once. Exit code 0 if the answer is 200 OK, and 1 for any other answer, for none
in time, or for a connection that is refused: the codes that a HEALTHCHECK knows.`,
		Example: `  wsrig healthcheck http://127.0.0.1:8080/readyz`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(args[0], "http://") && !strings.HasPrefix(args[0], "https://") {
				return usageError{fmt.Errorf("healthcheck %q: want a URL that begins with http:// or https://", args[0])}
			}
			if err := healthcheck(cmd.Context(), args[0], timeout); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "wsrig:", err)
				return exitCode(exitFail)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "longest time that the whole answer may take")
	return cmd
}

// healthcheck is nil when url answers with 200 within timeout.
func healthcheck(ctx context.Context, url string, timeout time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	// No proxy of the environment, and no redirect: this very address is asked about.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		reason, err := io.ReadAll(io.LimitReader(resp.Body, maxReason))
		return errors.Join(fmt.Errorf("healthcheck: %s answers %s: %s", url, resp.Status, strings.TrimSpace(string(reason))), err)
	}
	return nil
}
