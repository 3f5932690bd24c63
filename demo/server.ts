/**
 * The local model server of `npm run demo`. It plays the model: it asks for every command that stands in backquotes
 * in the prompt, one after the other, and then answers with what they gave.
 *
 * Prints one JSON line with `url` and `caPath` when it is ready, and ends when its stdin does.
 */
import { startModelServer } from '../test/support/model-server/server.ts';

/** Between events of a stream, so that its timing looks like a model's. */
const EVENT_INTERVAL_MS = 20;

const server = await startModelServer({
  defaultScenario: {
    intervalMs: EVENT_INTERVAL_MS,
    usageAt: 'empty-choices',
    tokens: { input: 812, output: 64, cacheRead: 512, reasoning: 16 },
  },
});
process.stdout.write(`${JSON.stringify({ url: server.url, caPath: server.caPath })}\n`);

let isStopping = false;
async function stop(): Promise<void> {
  if (!isStopping) {
    isStopping = true;
    await server.stop();
    process.exit(0);
  }
}
process.stdin.resume();
process.stdin.on('end', () => void stop());
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
