"use strict";

// The log keeps the last lines only, so that a busy room does not fill the memory.
const maxLines = 1000;
// Reconnects wait a random time below a bound that doubles up to the last one, so that
// the windows of a node that went away do not all come back at once.
const firstWait = 500;
const lastWait = 15000;

const $ = (id) => document.getElementById(id);
const log = $("log");

let socket = null; // the WebSocket, while there is one
let wanted = null; // {name, room} while this window wants to be connected
let attempt = 0;
let served = false; // this connection has had its hello
let retry = 0; // timer of the next attempt

function setStatus(text, on) {
  $("status").textContent = text;
  $("status").className = on ? "on" : "";
  $("text").disabled = $("send").disabled = !on;
}

// addLine appends a line of parts [class, text]. Text from others goes nowhere but
// into textContent, and each part is isolated from the direction of its neighbours.
function addLine(...parts) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const li = document.createElement("li");
  for (const [cls, text] of parts) {
    const bdi = document.createElement("bdi");
    bdi.className = cls;
    bdi.textContent = text;
    li.append(bdi, " ");
  }
  log.append(li);
  while (log.childElementCount > maxLines) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

const notice = (text) => addLine(["notice", text]);

function receive(text) {
  let m;
  try {
    m = JSON.parse(text);
  } catch {
    return; // not from a chat node
  }
  if (m.hello) {
    served = true;
    attempt = 0;
    setStatus("In room " + wanted.room + ", served by node " + m.hello.node, true);
    notice("Connected to node " + m.hello.node + ".");
    $("text").focus();
  } else if (typeof m.body === "string") {
    addLine(["from", m.from], ["node", "(via " + m.node + ")"], ["body", m.body]);
  }
}

function connect() {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ ...wanted, hello: "1" });
  url.hash = "";
  const ws = new WebSocket(url);
  socket = ws;
  served = false;
  setStatus("Connecting to room " + wanted.room + "…", false);
  ws.onmessage = (e) => { if (ws === socket) receive(e.data); };
  ws.onclose = (e) => { if (ws === socket) closed(e); };
}

function closed(e) {
  socket = null;
  if (!wanted) return;
  const wait = Math.random() * Math.min(lastWait, firstWait * 2 ** attempt++);
  const code = e.code === 1006 ? "" : " (" + e.code + (e.reason ? ", " + e.reason : "") + ")";
  if (served) notice("Connection lost" + code + ". What others say until it is back is not shown here.");
  setStatus((served ? "Connection lost" : "No connection") + "; next attempt in " + (wait / 1000).toFixed(1) + " s", false);
  retry = setTimeout(connect, wait);
}

function leave() {
  wanted = null;
  clearTimeout(retry);
  if (socket) socket.close(1000);
  socket = null;
  setStatus("Not connected", false);
}

$("join").addEventListener("submit", (e) => {
  e.preventDefault();
  const joining = !wanted;
  if (joining) {
    wanted = { name: $("name").value, room: $("room").value };
    attempt = 0;
    connect();
  } else {
    leave();
    notice("You left.");
  }
  $("name").disabled = $("room").disabled = joining;
  $("toggle").textContent = joining ? "Leave" : "Join";
});

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = $("text").value;
  if (!text || !socket || socket.readyState !== WebSocket.OPEN) return;
  socket.send(text);
  $("text").value = "";
});
