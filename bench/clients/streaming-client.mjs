/**
 * An agent's client for the benches: streams model answers with Node's own fetch.
 *
 *     node streaming-client.mjs URL STREAMS EXCHANGES     (trusts NODE_EXTRA_CA_CERTS)
 *
 * Runs EXCHANGES requests, STREAMS at a time, parses every event, and prints one JSON line: see stream-report.ts.
 */
const [url, streams, exchanges] = process.argv.slice(2);
const BODY = JSON.stringify({
  model: 'gpt-4o',
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'Say something long.' }],
});
const HEADERS = {
  'content-type': 'application/json',
  authorization: 'Bearer sk-bench-0123456789',
  'accept-encoding': 'identity',
};
const report = { events: 0, complete: 0, outputTokens: 0 };
const gapsMs = [];

async function stream() {
  const response = await fetch(url, { method: 'POST', headers: HEADERS, body: BODY });
  let rest = '';
  let lastMs;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data:')) {
        continue;
      }
      const nowMs = performance.now();
      if (lastMs !== undefined) {
        gapsMs.push(nowMs - lastMs);
      }
      lastMs = nowMs;
      report.events += 1;
      const data = line.slice(5).trim();
      if (data === '[DONE]') {
        report.complete += 1;
        continue;
      }
      report.outputTokens += JSON.parse(data).usage?.completion_tokens ?? 0;
    }
  }
}

let begun = 0;
async function worker() {
  while (begun < Number(exchanges)) {
    begun += 1;
    await stream();
  }
}

const cpuStart = process.cpuUsage();
const startMs = performance.now();
await Promise.all(Array.from({ length: Number(streams) }, worker));
report.wallMs = performance.now() - startMs;
const cpu = process.cpuUsage(cpuStart);
report.userMs = cpu.user / 1000;
report.systemMs = cpu.system / 1000;
gapsMs.sort((a, b) => a - b);
report.gapP50Ms = gapsMs[gapsMs.length >> 1];
report.gapP99Ms = gapsMs[Math.min(gapsMs.length - 1, Math.floor(gapsMs.length * 0.99))];
process.stdout.write(`${JSON.stringify(report)}\n`);
