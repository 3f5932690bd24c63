/**
 * Runs a real agent CLI against a model server of its own, both in whatever network namespace this is started in:
 * such programs call home, so it is one that has only `lo`.
 *
 *     tsx test/support/agents/cli-session.ts TRUTH-FILE HOME COMMAND [ARG…]
 *
 * In the arguments and in the CLI's environment, {URL}, {PORT} and {CA} stand for the server's. Writes the server's
 * truth to TRUTH-FILE when the CLI has ended, and ends with its exit code.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { startModelServer } from '../model-server/server.ts';

const TIMEOUT_MS = 100_000;

const [truthPath = '', home = '', ...command] = process.argv.slice(2);
const server = await startModelServer({ hostNames: ['localhost'] });

function filled(text: string): string {
  return text
    .replaceAll('{URL}', `https://localhost:${server.port}`)
    .replaceAll('{PORT}', String(server.port))
    .replaceAll('{CA}', server.caPath);
}

const env = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => name !== 'NODE_OPTIONS')
    .map(([name, value]) => [name, filled(value ?? '')]),
);
const [program = '', ...args] = command.map(filled);
const child = spawn(program, args, {
  cwd: home,
  env: { ...env, HOME: home },
  stdio: ['ignore', 'inherit', 'inherit'],
});
const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
const exitCode = await new Promise<number>((resolve) => {
  child.once('error', () => resolve(127));
  child.once('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 137)));
});
clearTimeout(timer);
await server.settle();
writeFileSync(truthPath, JSON.stringify({ port: server.port, truth: server.truth() }));
await server.stop();
process.exitCode = exitCode;
