package scenario

import (
	"context"
	"fmt"

	"wsrig/loadgen"
)

// Disconnect closes clients, in the order they were opened.
type Disconnect struct {
	Clients Count     `json:"clients,omitzero" doc:"clients to close; all that are open if not given"`
	Code    CloseCode `json:"code" doc:"close code of the frame (RFC 6455 section 7.4)"`
}

func newDisconnect() *Disconnect { return &Disconnect{Code: 1000} }

// CloseCode is a code that an endpoint may put into a close frame: 1000 to 1003,
// 1007 to 1014, and 3000 to 4999 (RFC 6455 section 7.4 and the IANA registry).
type CloseCode int

// UnmarshalText reads a close code. The error says which ones there are.
func (c *CloseCode) UnmarshalText(text []byte) error {
	var n Count
	if err := n.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is no close code; use 1000, 1001, or one from 3000 to 4999", text)
	}
	switch {
	case n >= 1000 && n <= 1003, n >= 1007 && n <= 1014, n >= 3000 && n <= 4999:
		*c = CloseCode(n)
		return nil
	case n == 1005 || n == 1006 || n == 1015:
		return fmt.Errorf("the close code %d stands for the lack of a frame and may not be sent (RFC 6455 section 7.4.1); use 1000", n)
	default:
		return fmt.Errorf("the close code %d may not be sent (RFC 6455 section 7.4); use 1000 to 1003, 1007 to 1014, or 3000 to 4999", n)
	}
}

// Kind is "disconnect".
func (s *Disconnect) Kind() string { return "disconnect" }

// Text is "disconnect all clients" or "disconnect 50 clients with code 1001".
func (s *Disconnect) Text() string {
	text := "disconnect all clients"
	if s.Clients > 0 {
		text = "disconnect " + counted(int(s.Clients), "client")
	}
	if s.Code != 1000 {
		text += fmt.Sprintf(" with code %d", s.Code)
	}
	return text
}

// Validate judges the step; see checkedStep.
func (s *Disconnect) Validate(p *progress) {
	p.needClients("disconnect")
	n := int(s.Clients)
	if !p.unsure && p.clients > 0 && n > p.clients {
		p.fail("clients", "%d clients to disconnect are more than the %d that are open; use %d or fewer, or leave clients out for all", n, p.clients, p.clients)
	}
	if n == 0 || n >= p.clients {
		n = p.clients
	}
	if p.clients -= n; p.clients == 0 && p.connected && p.closedBy == "" {
		p.closedBy = p.path
	}
}

// run does the step; see runStep.
func (s *Disconnect) run(ctx context.Context, t *trial) error {
	open, err := t.openByWorker(ctx)
	if err != nil {
		return err
	}
	share := splitAmong(int(s.Clients), open)
	_, err = each[loadgen.DisconnectResult](ctx, t, loadgen.CommandDisconnect, t.bar(s.Text()), func(w int) any {
		if s.Clients > 0 && share[w] == 0 {
			return nil // to a worker, 0 clients are all of them
		}
		return loadgen.DisconnectSpec{Clients: share[w], Code: int(s.Code)}
	})
	return err
}
