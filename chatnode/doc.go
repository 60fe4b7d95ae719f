// Package chatnode is a chat server for WebSocket clients: the system that the rig
// puts behind load balancers. Several nodes that share one Redis form one chat.
//
// # Protocol
//
//	GET /ws?room=R&name=N   the handshake of RFC 6455; the 101 carries X-Chat-Node
//	text frame, client up   a message to the room; its text is opaque
//	text frame, node down   a wire.Envelope with the message, to every member of the
//	                        room on every node, the sender included
//
// A room is "lobby" and a name is made up unless the request says otherwise. With
// hello=1 in the query the first frame down is {"hello":{"node":"n1","limit":65536}}, for
// browsers, which cannot read the headers of a 101: the node, and its message limit in
// bytes. A node with Config.History adds the room's last messages to it, so that a
// page that was away can fill its gap; what it has already comes again there.
//
// All members of a room see its messages in one order, which is the order in which
// the bus took them. A client that holds its 101 misses nothing that is sent to its
// room from then on: the 101 is written only after Redis confirmed the subscription.
// Redis itself delivers at most once, so what is published while a node has lost
// Redis does not reach that node's clients; the node counts what it could not
// publish, keeps its clients, and takes no new ones until Redis is back.
//
// # The path of a message
//
//	client -> readLoop -> bus.Publish -> Redis -> bus -> room.deliver -> client.send
//
// The node that takes a message escapes its text once (wire.AppendHead). A node that
// delivers it appends the tail once and prepares one frame for all receivers.
// Delivery never waits for a receiver: it writes what the socket takes at once, and
// what is left goes to the client's bounded queue, which a writer goroutine empties
// and then ends. An idle client costs one parked goroutine on its smallest stack, and
// no timer: one pacer goroutine keeps the pings and pong deadlines of all clients.
//
// # Ends
//
// Every ended connection is one log line (wire.Closed) that tells who moved first,
// how and why. Close codes: 1002 malformed frame, 1003 binary frame, 1007 text that is
// not UTF-8, 1008 slow consumer or silent client, 1009 message over the limit, 1012
// (or 1001) drain.
//
// # Admin
//
//	GET /healthz      200 while the process serves
//	GET /readyz       200 when new clients are welcome, else 503 and why
//	GET /metrics      Prometheus text; the names begin with chatnode_
//	GET /connections  JSON list of open connections; ?summary=1 for the count alone
//	GET /             a chat page for people
package chatnode
