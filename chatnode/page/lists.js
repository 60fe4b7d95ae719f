// The two lists of a page: its log, and its outbox below.
//
// The log has the lines that a page shows. Whatever others send, it stays text, keeps to
// its own line and direction, and costs a bounded amount of memory and layout:
// - text goes nowhere but into textContent, each part inside a <bdi>;
// - a text of many characters or rows is cut, with a button that shows all of it;
// - only the last lines stay, and fewer of them when they are long;
// - lines are drawn in batches, so that a flood leaves the page time for its user.

export const maxLines = 1000;
const maxChars = 4 << 20; // of all lines together
const shortChars = 2000; // of one text, until its button is pressed
const shortRows = 20;
const maxLabel = 64; // of a name; nodes allow no more, others may have put it into Redis
const drawEvery = 50; // ms

const rowEnd = /[\n\v\f\r\u0085\u2028\u2029]/g;

// shorten returns how much of text is shown at first: all of it, or whole characters
// up to one of the limits.
function shorten(text) {
  let cut = Math.min(text.length, shortChars);
  rowEnd.lastIndex = 0;
  for (let rows = 1, m; (m = rowEnd.exec(text)) && m.index < cut; rows++) {
    if (rows === shortRows) cut = m.index;
  }
  const code = text.charCodeAt(cut - 1);
  if (cut < text.length && code >= 0xd800 && code < 0xdc00) cut--; // the first half of a pair
  return text.slice(0, cut);
}

function isolated(cls, text) {
  const bdi = document.createElement("bdi");
  bdi.className = cls;
  bdi.textContent = text;
  return bdi;
}

// body returns the nodes that show a text, cut where it is long.
function body(cls, text) {
  const short = shorten(text);
  const bdi = isolated(cls, short);
  if (short === text) return [bdi];
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  const show = (all) => {
    bdi.textContent = all ? text : short;
    button.textContent = all ? "Show less" : "Show all (" + text.length.toLocaleString("en") + " characters)";
    button.setAttribute("aria-expanded", all);
  };
  button.onclick = () => show(button.getAttribute("aria-expanded") === "false");
  show(false);
  return [bdi, " ", button];
}

export class Log {
  #list;
  #shown = []; // {element, size}, the oldest first
  #chars = 0;
  #waiting = []; // {make, size} of lines that are not drawn yet
  #waitingChars = 0;
  #timer = 0;
  #wasAtEnd = true; // the last line was in view when the reader or a new line last moved it

  // A phone's keyboard, a turned phone and lines that wait below all change the height of
  // the list: who reads its end goes on to do so.
  constructor(list) {
    this.#list = list;
    let width = 0, height = 0;
    const resized = () => list.clientWidth !== width || list.clientHeight !== height;
    list.addEventListener("scroll", () => {
      if (!resized()) this.#wasAtEnd = this.#atEnd(); // else it was not the reader who scrolled
    });
    new ResizeObserver(() => {
      width = list.clientWidth;
      height = list.clientHeight;
      if (this.#wasAtEnd) this.#toEnd();
    }).observe(list);
  }

  #atEnd() { return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40; }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#wasAtEnd = true;
  }

  // message adds a line that somebody said.
  message(from, node, text) {
    this.#add(text.length, () => [
      isolated("from", from.slice(0, maxLabel)), " ", isolated("node", "(via " + node.slice(0, maxLabel) + ")"), " ", ...body("body", text)]);
  }

  // notice adds a line of the page itself.
  notice(text) {
    this.#add(text.length, () => [isolated("notice", text)]);
  }

  #add(size, make) {
    this.#waiting.push({ size, make });
    this.#waitingChars += size;
    // Browsers draw a window that nobody sees once a minute: that much may come.
    while (this.#waiting.length > 1 && (this.#waiting.length > maxLines || this.#waitingChars > maxChars)) {
      this.#waitingChars -= this.#waiting.shift().size;
    }
    this.#timer ||= setTimeout(() => this.#draw(), drawEvery);
  }

  #draw() {
    this.#timer = 0;
    const list = this.#list;
    const atEnd = this.#atEnd();
    for (const { size, make } of this.#waiting) {
      const element = document.createElement("li");
      element.append(...make());
      list.append(element);
      this.#shown.push({ element, size });
      this.#chars += size;
    }
    this.#waiting = [];
    this.#waitingChars = 0;
    // The last line stays, however long it is: the node has limited it.
    while (this.#shown.length > 1 && (this.#shown.length > maxLines || this.#chars > maxChars)) {
      const { element, size } = this.#shown.shift();
      element.remove();
      this.#chars -= size;
    }
    if (atEnd) this.#toEnd();
  }
}

// The outbox has what this page said and has not seen come back. A line leaves it when
// the room has the line, and only then, so it is sent again after a lost connection.
//
// The body that a page sends is {"id": 32 hex digits, "text": ...}: a line that was
// taken by a node just before the connection broke, and was sent again, is shown once,
// by its id. Bodies of other clients are plain text; they are shown as they are.

const maxWaiting = 100; // lines
const shownChars = 200; // of a waiting line

const idForm = /^[0-9a-f]{32}$/;

function newID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

// decode tells the id and the text of a body; the id is "" for one of another client.
export function decode(body) {
  if (body.startsWith('{"id":"')) {
    try {
      const { id, text } = JSON.parse(body);
      if (idForm.test(id) && typeof text === "string") return { id, text };
    } catch {
      // somebody's own text that only begins like ours
    }
  }
  return { id: "", text: body };
}

export class Outbox {
  #list;
  #lines = new Map(); // by id, in the order they were said: {body, element, sent}

  constructor(list) { this.#list = list; }

  get size() { return this.#lines.size; }

  // put takes a line. It returns why it cannot, or "". limit is in bytes.
  put(text, limit) {
    if (this.#lines.size >= maxWaiting) return "Not sent: " + maxWaiting + " lines wait already.";
    const id = newID();
    const body = JSON.stringify({ id, text });
    const size = new TextEncoder().encode(body).length;
    if (size > limit) return "Not sent: it takes " + size + " bytes, and the node allows " + limit + ".";
    const element = document.createElement("li");
    const bdi = document.createElement("bdi");
    bdi.textContent = text.length > shownChars ? text.slice(0, shownChars) + "…" : text;
    element.append(bdi, " (waiting)");
    this.#list.append(element);
    this.#lines.set(id, { body, element, sent: 0 });
    return "";
  }

  // delivered takes a line out that the room has.
  delivered(id) {
    this.#lines.get(id)?.element.remove();
    this.#lines.delete(id);
  }

  // send hands over, in order, the lines that were not sent since the last forget.
  send(socket) {
    for (const line of this.#lines.values()) {
      if (line.sent) continue;
      socket.send(line.body);
      line.sent = performance.now();
    }
  }

  // forget makes send begin again, for a new connection.
  forget() {
    for (const line of this.#lines.values()) line.sent = 0;
  }

  // overdue tells whether a line was sent longer ago than this many ms.
  overdue(ms) {
    const before = performance.now() - ms;
    return [...this.#lines.values()].some((line) => line.sent && line.sent < before);
  }

  clear() {
    this.#lines.clear();
    this.#list.replaceChildren();
  }
}
