package scenario

import "wsrig/testbed"

// nodeCmd is what runs as the nodes, as testbed.ParseNodeCommand reads it.
type nodeCmd string

// UnmarshalText reads a command. The error says what to write.
func (c *nodeCmd) UnmarshalText(text []byte) error {
	if _, err := testbed.ParseNodeCommand(string(text)); err != nil {
		return err
	}
	*c = nodeCmd(text)
	return nil
}

// words are the program and its arguments; nil for wsrig's own node. A text that was
// not accepted, which stops the plan, has none either.
func (c nodeCmd) words() []string {
	words, err := testbed.ParseNodeCommand(string(c))
	if err != nil {
		return nil
	}
	return words
}
