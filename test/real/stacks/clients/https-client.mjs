// Posts by node:https. Arguments: URL, file of the authority, requests, at once, keep | fresh.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

const [url, ca, count, atOnce, connections] = process.argv.slice(2);
const keepAlive = connections === 'keep';
const agent = new Agent({ keepAlive, maxSockets: Number(atOnce), ca: readFileSync(ca) });
const headers = keepAlive ? {} : { connection: 'close' };
const body = 'abc'.repeat(30_000);
let left = Number(count);

const once = () =>
  new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST', headers }, (response) =>
      response.resume().on('end', resolve),
    );
    sent.on('error', reject).end(body);
  });

async function work() {
  while (left-- > 0) {
    await once();
  }
}

await Promise.all(Array.from({ length: Number(atOnce) }, work));
agent.destroy();
