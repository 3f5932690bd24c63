// Posts by fetch, for Bun and Deno. Arguments: URL, file of the authority, requests, at once, keep | fresh.
import { readFileSync } from 'node:fs';

const [url, ca, count, atOnce, connections] = process.argv.slice(2);
const body = 'abc'.repeat(30_000);
const options = { method: 'POST', body };
if (process.versions.bun !== undefined) {
  Object.assign(options, { tls: { ca: readFileSync(ca, 'utf8') } });
  if (connections === 'fresh') {
    Object.assign(options, { keepalive: false });
  }
}
let left = Number(count);

async function work() {
  while (left-- > 0) {
    const response = await fetch(url, options);
    await response.arrayBuffer();
  }
}

await Promise.all(Array.from({ length: Number(atOnce) }, work));
process.exit(0);
