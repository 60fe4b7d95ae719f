// The chat page. What it promises while its window stays open:
// - A line said here appears once in the log of every member that stays connected,
//   also when the node, the proxy or Redis went away while it was sent: the page keeps
//   it, visibly waiting, until the room has it, and sends it again after a reconnect.
// - No line of this log is lost or doubled by a reconnect. With a node that keeps
//   history (wsrig up and compose.yaml: the last 100 messages of a room, for an hour)
//   this holds for what others said meanwhile too. Where that is not enough, or the
//   node keeps none, a line of the log says so at the place.
// A reload of the page, or Leave, drops what still waits, and says so.

import { Log, Outbox, decode, maxLines } from "./lists.js";

// Reconnects wait a random time below a bound that doubles up to the last one, so that
// the windows of a node that went away do not all come back at once. In ms.
const firstWait = 500;
const lastWait = 15000;
// A line that does not come back for so long means that the connection is dead, or
// that the node could not publish: another attempt is better than waiting.
const echoWait = 10000;
// Keys of lines that were shown are kept for more lines than a node sends again.
const maxKnown = 5 * maxLines;

const $ = (id) => document.getElementById(id);
const log = new Log($("log"));
const outbox = new Outbox($("waiting"));

let socket = null; // the WebSocket, while there is one
let wanted = null; // {name, room} while this window wants to be connected
let node = ""; // that serves this connection; "" before its hello
let limit = 0; // largest message in bytes, as the last hello said
let attempt = 0;
let retry = 0; // timer of the next attempt
let latest = ""; // key of the newest line of this room; "" before the first
let met = false; // this room has had a hello
const known = new Set(); // keys of lines that were shown, the oldest first

function setStatus(text, on) {
  $("status").textContent = text;
  $("status").className = on ? "on" : "";
  document.title = (on ? node + " – " : "") + "wsrig chat";
}

// keyOf names a message for good: by the id of the page that sent it, or else by when
// which node took it from whom.
function keyOf(m) {
  return decode(m.body).id || [m.node, m.in, m.from, m.body.length].join(" ");
}

function isMessage(m) {
  return m !== null && typeof m === "object" && typeof m.body === "string" && typeof m.from === "string" && typeof m.node === "string";
}

// show adds a message to the log unless it is there already.
function show(m) {
  const key = keyOf(m);
  if (known.has(key)) return;
  known.add(key);
  if (known.size > maxKnown) known.delete(known.values().next().value);
  latest = key;
  const { id, text } = decode(m.body);
  log.message(m.from, m.node, text);
  if (id) outbox.delivered(id);
}

function receive(text) {
  let m;
  try {
    m = JSON.parse(text);
  } catch {
    return; // not from a chat node
  }
  if (isMessage(m)) show(m);
  else if (m?.hello) welcome(m.hello);
}

// welcome begins a connection: what was missed, then what waits to be said.
function welcome(hello) {
  node = String(hello.node);
  limit = Number(hello.limit) || Infinity;
  attempt = 0;
  setStatus("In room " + wanted.room + ", served by node " + node, true);
  log.notice("Connected to node " + node + ", in room " + wanted.room + ".");
  // No more than the log shows, and so no more than the known keys cover.
  const history = Array.isArray(hello.history) ? hello.history.filter(isMessage).slice(-maxLines) : null;
  if (met && !history) {
    log.notice("What others said meanwhile is not shown: the node keeps no history.");
  } else if (latest && !history.some((m) => keyOf(m) === latest)) {
    log.notice("Lines may be missing here: the room's history does not reach back to the last one.");
  }
  history?.forEach(show);
  if (!met) {
    met = true;
    $("text").disabled = $("send").disabled = false; // only now is the limit known
    $("text").focus();
  }
  sendWaiting();
}

function sendWaiting() {
  if (!node || socket?.readyState !== WebSocket.OPEN) return;
  outbox.send(socket);
  setTimeout(checkEcho, echoWait + 100, socket);
}

// checkEcho gives up a connection on which a line did not come back.
function checkEcho(ws) {
  if (ws !== socket || !outbox.overdue(echoWait)) return;
  ws.close();
  closed({ code: 1006 }); // a dead connection would take its time to say so
}

function connect() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ ...wanted, hello: "1" });
  url.hash = "";
  const ws = new WebSocket(url);
  socket = ws;
  setStatus("Connecting to room " + wanted.room + "…", false);
  ws.onmessage = (e) => { if (ws === socket) receive(e.data); };
  ws.onclose = (e) => { if (ws === socket) closed(e); };
}

function closed(e) {
  const served = node !== "";
  socket = null;
  node = "";
  outbox.forget();
  const wait = Math.random() * Math.min(lastWait, firstWait * 2 ** attempt++);
  const code = e.code === 1006 ? "" : " (" + e.code + (e.reason ? ", " + e.reason : "") + ")";
  if (served) log.notice("Connection lost" + code + ".");
  setStatus((served ? "Connection lost" : "No connection") + "; next attempt in " + (wait / 1000).toFixed(1) + " s", false);
  retry = setTimeout(connect, wait);
}

function join() {
  wanted = { name: $("name").value, room: $("room").value };
  attempt = 0;
  latest = "";
  met = false;
  connect();
}

function leave() {
  const ws = socket;
  socket = wanted = null;
  node = "";
  clearTimeout(retry);
  ws?.close(1000);
  $("text").disabled = $("send").disabled = true;
  setStatus("Not connected", false);
  log.notice("You left." + (outbox.size ? " Lines that were not sent: " + outbox.size + "." : ""));
  outbox.clear();
}

$("join").addEventListener("submit", (e) => {
  e.preventDefault();
  if (wanted) leave();
  else join();
  $("name").disabled = $("room").disabled = wanted !== null;
  $("toggle").textContent = wanted ? "Leave" : "Join";
});

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = $("text").value;
  if (!text || !wanted) return;
  const refused = outbox.put(text, limit);
  if (refused) {
    log.notice(refused);
    return;
  }
  $("text").value = "";
  sendWaiting();
});
