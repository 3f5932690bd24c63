/** The http room on the real kernel: every exchange of a server's port as the programs on this host had it. */
import { loadBinding } from '../../src/capture/binding.ts';
import { createLiveSource } from '../../src/capture/live-source.ts';
import type { Exchange } from '../../src/http/exchange.ts';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createTargetFinder } from '../../src/targets/target-finder.ts';
import { createTlsLocator } from '../../src/targets/tls-location.ts';
import { createTransport } from '../../src/transport/transport.ts';
import { createWitness, type Seen } from './http-generator.ts';

/** Large: on the whole host, other programs' traffic must not push out what a test is about. */
const RING_BYTES = 64 * 1024 * 1024;

export interface LiveExchanges {
  /** Exchanges that were observed with their bodies. */
  seen: Seen[];
  /** Every exchange that is over, observed or not. */
  ended: Exchange[];
  /** Bytes that came out of the kernel, and that were left out there, of one process. */
  bytesOf(pid: number): { copied: number; skipped: number };
  /** Resolves when the events of `isDone` have come, at most some seconds later. */
  until(isDone: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

/** `wants` tells whose bodies are looked at, of the exchanges whose `host` is on `port`. */
export async function observeExchanges(
  isOurs: (exchange: Exchange) => boolean,
  wants: (exchange: Exchange) => boolean = () => true,
): Promise<LiveExchanges> {
  const binding = loadBinding();
  const source = createLiveSource({
    binding,
    targets: createTargetFinder({ locator: createTlsLocator({ binding }) }),
    watchAll: true,
    ringBytes: RING_BYTES,
  });
  const witness = createWitness();
  const ended: Exchange[] = [];
  const bytes = new Map<number, { copied: number; skipped: number }>();
  const transport = createTransport({
    createParser: createHttpStage({
      handler: (exchange) =>
        isOurs(exchange) && wants(exchange) ? witness.handler(exchange) : undefined,
      onVerdict: source.setVerdict,
      onExchange: (exchange) => {
        if (isOurs(exchange)) {
          ended.push(exchange);
        }
      },
    }),
    onFault: (error) => {
      throw error;
    },
  });

  function bytesOf(pid: number): { copied: number; skipped: number } {
    const known = bytes.get(pid) ?? { copied: 0, skipped: 0 };
    bytes.set(pid, known);
    return known;
  }

  await source.start((event) => {
    if (event.type === 'data') {
      bytesOf(event.connection.process.pid).copied += event.bytes.length;
    } else if (event.type === 'skip') {
      bytesOf(event.connection.process.pid).skipped += event.skippedBytes;
    }
    transport.push(event);
  });
  return {
    seen: witness.seen,
    ended,
    bytesOf,
    async until(isDone) {
      for (let waitedMs = 0; waitedMs < 5000 && !isDone(); waitedMs += 20) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop: () => source.stop(),
  };
}
