// The work of the comparison with k6/ws. The environment says which: WORK is idle,
// echo or pace, with URL, CLIENTS, HOLD (seconds), SIZE (bytes) and RATE (per second).
import ws from 'k6/ws';

const clients = parseInt(__ENV.CLIENTS);
const hold = parseFloat(__ENV.HOLD) * 1000;
const text = 'x'.repeat(parseInt(__ENV.SIZE));

export const options = {
  scenarios: {
    work: { executor: 'per-vu-iterations', vus: clients, iterations: 1, maxDuration: '30m' },
  },
};

export default function () {
  ws.connect(__ENV.URL, {}, function (socket) {
    socket.on('open', function () {
      if (__ENV.WORK === 'echo') {
        socket.send(text);
      } else if (__ENV.WORK === 'pace') {
        socket.setInterval(function () { socket.send(text); }, 1000 / parseFloat(__ENV.RATE));
      }
    });
    if (__ENV.WORK === 'echo') {
      socket.on('message', function () { socket.send(text); });
    }
    socket.setTimeout(function () { socket.close(); }, hold);
  });
}
