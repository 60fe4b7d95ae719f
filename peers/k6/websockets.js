// The work of the comparison with k6/websockets. The environment says which: WORK is
// idle, echo or pace, with URL, CLIENTS, HOLD (seconds), SIZE (bytes) and RATE (per
// second).
import { WebSocket } from 'k6/websockets';
import { setInterval, setTimeout, clearInterval } from 'k6/timers';

const clients = parseInt(__ENV.CLIENTS);
const hold = parseFloat(__ENV.HOLD) * 1000;
const text = 'x'.repeat(parseInt(__ENV.SIZE));

export const options = {
  scenarios: {
    work: { executor: 'per-vu-iterations', vus: clients, iterations: 1, maxDuration: '30m' },
  },
};

export default function () {
  const socket = new WebSocket(__ENV.URL);
  socket.addEventListener('open', function () {
    let pacing;
    if (__ENV.WORK === 'echo') {
      socket.send(text);
    } else if (__ENV.WORK === 'pace') {
      pacing = setInterval(function () { socket.send(text); }, 1000 / parseFloat(__ENV.RATE));
    }
    setTimeout(function () {
      if (pacing) clearInterval(pacing);
      socket.close();
    }, hold);
  });
  if (__ENV.WORK === 'echo') {
    socket.addEventListener('message', function () { socket.send(text); });
  }
}
