// Package nodechat holds the chat node on Node.js that stands in for wsrig's own.
package nodechat

import _ "embed" // for Server

// Server is the program, one file for node. It needs the modules ws and redis.
//
//go:embed server.js
var Server []byte
