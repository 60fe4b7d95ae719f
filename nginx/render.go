package nginx

import (
	"strconv"

	"wsrig/testbed"
)

// The ports every configuration needs; a user's own file may need hop1, hop2 ... too.
const (
	portClients = "ws"
	portAdmin   = "admin"
)

// fields are what a shipped variant's template may use.
type fields struct {
	Listen            string             // where clients connect
	Admin             string             // the statistics page
	WorkerConnections int                // connections of one worker, both sides
	FileLimit         int                // descriptors of one worker
	Workers           string             // worker processes: a number, or auto
	ReusePort         string             // " reuseport" where each worker listens on a socket of its own
	Nodes             []testbed.NodeAddr // the pool
}

// fieldsFor sizes one worker for all clients, since nothing makes workers share them
// evenly: two connections each, a quarter above, and descriptors for them and the
// rest. Limits of the input are taken as they are; they count on several workers to
// share the clients, which the kernel sees to when each has a socket of its own
// (manual of ngx_http_core_module, listen, reuseport).
func fieldsFor(in testbed.RenderInput) fields {
	f := fields{
		Listen:            in.Ports[portClients].Listen,
		Admin:             in.Ports[portAdmin].Listen,
		WorkerConnections: 2*(in.MaxClients+in.MaxClients/4) + 200,
		Workers:           "auto",
		Nodes:             in.Nodes,
	}
	f.FileLimit = f.WorkerConnections + 100
	if l := in.Limits; l.Connections > 0 {
		f.WorkerConnections, f.FileLimit = l.Connections, l.NoFile
		f.Workers = strconv.Itoa(l.Processes)
		if l.Processes > 1 {
			f.ReusePort = " reuseport"
		}
	}
	return f
}

// Ports names the ports a configuration needs: ws, admin, and for a user's own file
// hop1, hop2 ... for every other address it listens on.
func (Driver) Ports(src testbed.Source) ([]string, error) {
	ports := []string{portClients, portAdmin}
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
// file the number of distinct upstream addresses that WebSocket clients may reach.
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

// Render fills a shipped variant's fields, or moves a user's own file, with what it
// includes, to the testbed's addresses.
func (d Driver) Render(src testbed.Source, in testbed.RenderInput) (testbed.Config, error) {
	return testbed.RenderConfig(src, in, fileName(src), d.Ports, fieldsFor(in), func() (string, error) {
		m, err := planMove(src)
		if err != nil {
			return "", err
		}
		return m.rewrite(in)
	})
}
