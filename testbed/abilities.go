package testbed

import "context"

// Abilities are what only some runtimes can do. A plan that needs one is refused
// before anything starts.
type Abilities struct {
	Runtime    string // its name
	Images     bool   // runs a program from a container image
	Binaries   bool   // runs a program of this machine by its path
	Disconnect bool   // takes a unit off the network and brings it back
}

// Runtimes are the runtimes there are, by name. To add one, add a line here and one to
// the table of the command that makes them.
var Runtimes = map[string]Abilities{
	"process": {Runtime: "process", Binaries: true},
	"docker":  {Runtime: "docker", Images: true, Disconnect: true},
}

// Networked is an Instance that can be taken off the network. Its connections are not
// closed: nothing gets through, and after Reconnect what still lives goes on.
type Networked interface {
	Disconnect(ctx context.Context) error
	Reconnect(ctx context.Context) error
}

var _ Networked = (*container)(nil)
