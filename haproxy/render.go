package haproxy

import (
	"wsrig/testbed"
)

// The ports every configuration needs; a user's own file may need hop1, hop2 ... too.
const (
	portClients = "ws"
	portAdmin   = "admin"
	portMaster  = "master"
)

// fields are what a shipped variant's template may use.
type fields struct {
	Listen  string             // where clients connect
	Admin   string             // the statistics socket
	MaxConn int                // connections in all
	Nodes   []testbed.NodeAddr // the pool
}

// fieldsFor sizes maxconn a quarter above the clients: a HAProxy at its limit does
// not refuse, it leaves clients hanging. Limits of the input are taken as they are.
func fieldsFor(in testbed.RenderInput) fields {
	maxConn := in.MaxClients + in.MaxClients/4 + 100
	if in.Limits.Connections > 0 {
		maxConn = in.Limits.Connections
	}
	return fields{
		Listen:  in.Ports[portClients].Listen,
		Admin:   in.Ports[portAdmin].Listen,
		MaxConn: maxConn,
		Nodes:   in.Nodes,
	}
}

// Ports names the ports a configuration needs: ws, admin, master, and for a user's
// own file hop1, hop2 ... for every other address it listens on.
func (Driver) Ports(src testbed.Source) ([]string, error) {
	ports := []string{portClients, portAdmin, portMaster}
	if !src.Own {
		return ports, nil
	}
	m, err := planMove(src)
	if err != nil {
		return nil, err
	}
	for i := range m.hops {
		ports = append(ports, hopName(i))
	}
	return ports, nil
}

// Nodes is 0 for a shipped variant, which takes any number, and for a user's own
// file the number of distinct server addresses that WebSocket clients may reach.
func (Driver) Nodes(src testbed.Source) (int, error) {
	if !src.Own {
		return 0, nil
	}
	m, err := planMove(src)
	if err != nil {
		return 0, err
	}
	return len(m.nodes), nil
}

// Render fills a shipped variant's fields, or moves a user's own file to the
// testbed's addresses.
func (d Driver) Render(src testbed.Source, in testbed.RenderInput) (testbed.Config, error) {
	return testbed.RenderConfig(src, in, fileName(src), d.Ports, fieldsFor(in), func() (string, error) {
		m, err := planMove(src)
		if err != nil {
			return "", err
		}
		return m.rewrite(in)
	})
}
