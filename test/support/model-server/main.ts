/**
 * The model server as a process of its own, for a network namespace or to keep its work out of the tests' process.
 *
 *     tsx test/support/model-server/main.ts --port 8443 --truth truth.jsonl
 *
 * Writes one JSON line with `url`, `port`, `caPath` to stdout when it is ready, and ends on SIGTERM or SIGINT. With
 * `--control` it also obeys JSON lines on stdin (see `spawn.ts`) and ends when stdin does.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { checkScenario, type Scenario } from './scenario.ts';
import { startModelServer } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    plain: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    truth: { type: 'string' },
    scenario: { type: 'string' },
    'host-name': { type: 'string', multiple: true, default: [] },
    control: { type: 'boolean', default: false },
  },
});

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

const truthPath = values.truth;
if (truthPath !== undefined) {
  writeFileSync(truthPath, '');
}
const server = await startModelServer({
  tls: !values.plain,
  host: values.host,
  port: Number(values.port),
  seed: Number(values.seed),
  hostNames: values['host-name'],
  ...(values.scenario === undefined
    ? {}
    : { defaultScenario: checkScenario(JSON.parse(values.scenario)) }),
  // An exchange is written again when more is known of it: of lines with the same number the last one counts.
  onExchange: (truth) => {
    if (truthPath !== undefined) {
      appendFileSync(truthPath, `${JSON.stringify(truth)}\n`);
    }
  },
  onError: (error) => {
    process.stderr.write(`model server: ${String((error as Error).stack ?? error)}\n`);
  },
});

let isStopping = false;
async function stop(): Promise<void> {
  if (!isStopping) {
    isStopping = true;
    await server.stop();
    process.exit(0);
  }
}
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());

interface Command {
  do: 'settle' | 'script' | 'reset';
  count?: number;
  timeoutMs?: number;
  scenarios?: Scenario[];
}

async function obey(command: Command): Promise<void> {
  switch (command.do) {
    case 'settle':
      say({ truth: await server.settle(command.count, command.timeoutMs) });
      return;
    case 'script':
      server.script(command.scenarios ?? []);
      say({});
      return;
    case 'reset':
      server.reset();
      say({});
      return;
    default:
      throw new Error(`no such command: ${JSON.stringify(command)}`);
  }
}

if (values.control) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    obey(JSON.parse(line) as Command).catch((error: unknown) => {
      say({ error: String((error as Error).message ?? error) });
    });
  });
  lines.on('close', () => void stop());
}

say({ url: server.url, port: server.port, caPath: server.caPath });
