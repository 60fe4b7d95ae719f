'use strict';
// The well-known chat of ws and Redis on Node.js, as a peer of the rig's own node: it
// does the same work behind the same proxies. It binds HOST:PORT, names itself
// NODE_NAME, and without REDIS_URL keeps its messages to itself. Needs ws 8, redis 4 or 5.
const http = require('http');
const { WebSocketServer, WebSocket } = require('ws');
const { createClient } = require('redis');

const { PORT = '8080', HOST = '127.0.0.1', NODE_NAME: node = 'node', REDIS_URL: url } = process.env;
const CLOSE_LIMIT = 2000; // ms that clients get to answer the close frame at the end
const rooms = new Map(); // by name: {clients, users, subscribed, turn}
const redis = url && { publisher: createClient({ url }), subscriber: createClient({ url }) };
let stopping = false;

const failed = (what) => (err) => console.error(`${what}: ${err.message}`);
const channel = (name) => `room:${name}`;

function deliver(room, frame) {
  for (const ws of room.clients) if (ws.readyState === WebSocket.OPEN) ws.send(frame);
}

function publish(name, room, frame) {
  if (!redis) return deliver(room, frame);
  redis.publisher.publish(channel(name), frame).catch(failed(`publish to ${name}`));
}

// settle subscribes to a room that has users and leaves one that has none. The turns of
// a room are taken one after the other: users come and go while Redis has yet to answer.
function settle(name, room) {
  const turn = room.turn.then(async () => {
    const wanted = room.users > 0;
    if (wanted !== room.subscribed) {
      if (redis && wanted) await redis.subscriber.subscribe(channel(name), (frame) => deliver(room, frame));
      if (redis && !wanted) await redis.subscriber.unsubscribe(channel(name));
      room.subscribed = wanted;
    }
    if (room.users === 0 && rooms.get(name) === room) rooms.delete(name);
  });
  room.turn = turn.catch(failed(`room ${name}`));
  return turn;
}

const server = http.createServer((req, res) => {
  res.writeHead(['/healthz', '/readyz'].includes(req.url) ? 200 : 404).end();
});
const wss = new WebSocketServer({ noServer: true, maxPayload: 1 << 20 });
wss.on('headers', (headers) => headers.push(`X-Chat-Node: ${node}`));

// A client has its 101 once its room is subscribed to, so that it misses nothing.
server.on('upgrade', async (req, socket, head) => {
  const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.on('error', () => socket.destroy());
  let target;
  try { target = new URL(req.url, 'http://node'); } catch { return refuse('400 Bad Request'); }
  if (target.pathname !== '/ws') return refuse('404 Not Found');
  if (stopping) return refuse('503 Service Unavailable');
  const name = target.searchParams.get('room') || 'lobby';
  const from = target.searchParams.get('name') || 'anonymous';
  if (!rooms.has(name)) rooms.set(name, { clients: new Set(), users: 0, subscribed: false, turn: Promise.resolve() });
  const room = rooms.get(name);
  room.users++;
  socket.once('close', () => { room.users--; settle(name, room).catch(() => {}); });
  try { await settle(name, room); } catch { return refuse('503 Service Unavailable'); }
  wss.handleUpgrade(req, socket, head, (ws) => {
    room.clients.add(ws);
    ws.on('error', failed(from));
    ws.on('close', () => room.clients.delete(ws));
    ws.on('message', (data, binary) => {
      if (binary) return ws.close(1003, 'text only');
      publish(name, room, JSON.stringify({ from, node, room: name, body: data.toString() }));
    });
  });
});

process.once('SIGTERM', () => {
  stopping = true;
  server.close(() => process.exit(0)); // with the last connection, upgraded ones included
  for (const ws of wss.clients) ws.close(1001, 'server is going away');
  setTimeout(() => process.exit(0), CLOSE_LIMIT);
});

async function main() {
  for (const [name, client] of Object.entries(redis || {})) {
    client.on('error', failed(`redis ${name}`)); // it reconnects, and subscribes again, by itself
    await client.connect();
  }
  server.listen(Number(PORT), HOST, () => console.log(`${node} listens on ${HOST}:${PORT}`));
}

main().catch((err) => { console.error(err); process.exit(1); });
