package testbed

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/shell"
	"mvdan.cc/sh/v3/syntax"

	nodechat "wsrig/peers/node-chat"
)

// nodePeer is a chat node of another make that comes with the rig.
type nodePeer struct {
	binary string
	args   []string
	files  []File
	needs  []Need
}

// nodePeers is the one table of them. To add one, add its folder below peers and a line.
var nodePeers = map[string]nodePeer{
	"node-chat": {
		binary: "node", args: []string{"server.js"},
		files: []File{{Name: "server.js", Data: nodechat.Server}},
		needs: []Need{nodejsNeed, {Binary: "node", Module: "ws", Package: "node-ws"}, {Binary: "node", Module: "redis", Package: "node-redis"}},
	},
}

var nodejsNeed = Need{Binary: "node", Package: "nodejs"}

// NodePeers lists the names that stand for a node of another make.
func NodePeers() []string { return slices.Sorted(maps.Keys(nodePeers)) }

// ParseNodeCommand reads what is to run as a chat node: wsrig, for which it returns
// nil, a name of NodePeers, or a program and its arguments, quoted as for sh. It is not
// run by a shell: what only a shell can do is an error.
func ParseNodeCommand(text string) ([]string, error) {
	if err := onlyWords(text); err != nil {
		return nil, fmt.Errorf("%q is no program with arguments: %w; there is no shell, so quote what is for a shell with '', or run a script", text, err)
	}
	words, err := shell.Fields(text, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no program with arguments: %w", text, err)
	case len(words) == 0 || words[0] == "":
		return nil, fmt.Errorf("the command is empty; use %s, %s, or a program with its arguments, as in node server.js", Self, strings.Join(NodePeers(), ", "))
	case strings.Contains(words[0], "="):
		return nil, fmt.Errorf("%q begins with a variable; write env %s", text, text)
	case words[0] == Self && len(words) > 1:
		return nil, fmt.Errorf("%q: %s takes no arguments here; put options of its chat node into node_args", text, Self)
	case words[0] == Self:
		return nil, nil
	}
	if _, named := nodePeers[words[0]]; named && len(words) > 1 {
		return nil, fmt.Errorf("%q: %s takes no arguments; leave them out", text, words[0])
	}
	return words, nil
}

// onlyWords finds what is not a plain or quoted word: operators, and what a shell would
// fill in.
func onlyWords(text string) error {
	for word, err := range syntax.NewParser().WordsSeq(strings.NewReader(text)) {
		if err != nil {
			return err
		}
		var filled syntax.Node
		syntax.Walk(word, func(n syntax.Node) bool {
			switch n.(type) {
			case *syntax.ParamExp, *syntax.CmdSubst, *syntax.ArithmExp, *syntax.ProcSubst, *syntax.ExtGlob:
				filled = n
			}
			return filled == nil
		})
		if filled != nil {
			return fmt.Errorf("%s is not filled in", text[filled.Pos().Offset():filled.End().Offset()])
		}
	}
	return nil
}

// NodeNeeds are the programs and modules that a command of ParseNodeCommand is known to
// need and that a package brings. What a program of the user's own needs, nobody knows.
func NodeNeeds(command []string) []Need {
	switch peer, named := nodePeers[first(command)]; {
	case named:
		return peer.needs
	case first(command) == nodejsNeed.Binary:
		return []Need{nodejsNeed}
	}
	return nil
}

// first is the first of a command's words; "" for the rig's own node.
func first(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return command[0]
}

// commandUnit is a node of another make. It learns from its environment what wsrig
// chatnode is told by options. A peer works in the unit's directory, a command of the
// user's where the rig was started, so that it finds its files.
func commandUnit(spec Spec, name string, port Port, redis *Unit) Unit {
	host, number := splitAddr(port.Listen)
	u := Unit{
		Name: name, Role: RoleNode, Binary: spec.NodeCmd[0], Args: spec.NodeCmd[1:], WorkDir: ".",
		Env:   []string{"HOST=" + host, "PORT=" + strconv.Itoa(number), "NODE_NAME=" + name, modulePath()},
		Ports: map[string]Port{"http": port},
		Ready: httpAnswers("http", "/readyz"), StopSignal: SigTerm, StopGrace: startGrace,
		Limits: spec.NodeLimits,
	}
	if redis != nil {
		u.Env = append(u.Env, "REDIS_URL=redis://"+redis.Ports["redis"].Peer)
	}
	if peer, named := nodePeers[u.Binary]; named {
		u.Binary, u.Args, u.Files, u.WorkDir = peer.binary, peer.args, peer.files, ""
	}
	return u
}

// debianModules is where Debian's packages put modules of Node.js (Debian JavaScript
// policy). Debian's own node looks there; any other has to be told.
const debianModules = "/usr/share/nodejs"

// modulePath is NODE_PATH for nodes: the caller's, and Debian's modules behind it.
func modulePath() string {
	dirs := append(filepath.SplitList(os.Getenv("NODE_PATH")), debianModules)
	return "NODE_PATH=" + strings.Join(dirs, string(filepath.ListSeparator))
}

// explain adds to the error of a node of another make what a person can do about it,
// where its cause is known.
func explain(command []string, err error) error {
	var missing *MissingBinaryError
	var dead *ExitError
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w; node_cmd takes a program in PATH, a path, or %s", err, strings.Join(NodePeers(), ", "))
	case errors.As(err, &dead) && slices.ContainsFunc(dead.Tail, func(l string) bool { return strings.Contains(l, "MODULE_NOT_FOUND") }):
		return fmt.Errorf("%w\n%s lacks a module of Node.js: run npm install where its package.json is, or for ws and redis: %s",
			err, strings.Join(command, " "), Command(nodePeers["node-chat"].needs, os.Getuid() != 0))
	}
	return err
}
