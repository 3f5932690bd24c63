/** Verdicts as the http room gives them, against a stand-in for the kernel that obeys them. */
import assert from 'node:assert/strict';
import type { CaptureEvent, ConnectionRef, Direction } from '../../../src/capture/events.ts';
import type { ConnectionVerdict } from '../../../src/capture/verdict.ts';
import type { Exchange, ExchangeHandler } from '../../../src/http/exchange.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createTransport } from '../../../src/transport/transport.ts';

const REF: ConnectionRef = {
  process: { pid: 1, startNs: 1n },
  stack: 'openssl',
  object: 8,
  generation: 1n,
};

const GET = '>GET /file HTTP/1.1\r\nHost: h\r\n\r\n';
const OK = '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

interface Outcome {
  exchanges: Exchange[];
  copiedBytes: number;
  events: CaptureEvent[];
}

/**
 * `calls` begin with `>` (written) or `<` (read), lost ones with `!` before it. `lagCalls`: calls that pass before a
 * verdict reaches the kernel.
 */
function converse(
  calls: readonly string[],
  options: { handler?: ExchangeHandler; lagCalls?: number } = {},
): Outcome {
  const exchanges: Exchange[] = [];
  const events: CaptureEvent[] = [];
  const verdicts: { verdict: ConnectionVerdict; fromCall: number }[] = [];
  const position = { read: 0, write: 0 };
  const skipped = { read: 0, write: 0 };
  let call = 0;
  let timeNs = 1n;
  let copiedBytes = 0;
  const transport = createTransport({
    createParser: createHttpStage({
      handler: options.handler ?? (() => undefined),
      onExchange: (exchange) => exchanges.push(exchange),
      onVerdict: (_connection, verdict) =>
        verdicts.push({ verdict, fromCall: call + 1 + (options.lagCalls ?? 0) }),
    }),
  });

  function emit(event: CaptureEvent): void {
    events.push(event);
    transport.push(event);
  }

  function reportSkips(): void {
    for (const direction of ['read', 'write'] as const) {
      const skippedBytes = skipped[direction];
      if (skippedBytes > 0) {
        skipped[direction] = 0;
        const at = position[direction] - skippedBytes;
        emit({ type: 'skip', timeNs, connection: REF, direction, position: at, skippedBytes });
      }
    }
  }

  function isUnwanted(direction: Direction, bytes: number): boolean {
    const current = verdicts.filter(({ fromCall }) => fromCall <= call).at(-1)?.verdict;
    if (current === undefined) {
      return false;
    }
    const isRead = direction === 'read';
    const until = isRead ? current.readUntil : current.writeUntil;
    const whileAt = isRead ? current.whileWrittenBytes : current.whileReadBytes;
    const otherAt = isRead ? position.write : position.read;
    return position[direction] + bytes <= until && (whileAt === undefined || whileAt === otherAt);
  }

  for (const marked of calls) {
    call += 1;
    timeNs += 10n;
    const isLost = marked.startsWith('!');
    const text = isLost ? marked.slice(1) : marked;
    const direction = text.startsWith('>') ? 'write' : 'read';
    const bytes = Buffer.from(text.slice(1), 'latin1');
    if (isLost) {
      position[direction] += bytes.length;
      continue;
    }
    if (isUnwanted(direction, bytes.length)) {
      skipped[direction] += bytes.length;
      position[direction] += bytes.length;
      continue;
    }
    reportSkips();
    const at = position[direction];
    position[direction] += bytes.length;
    copiedBytes += bytes.length;
    emit({
      type: 'data',
      timeNs,
      enterNs: timeNs,
      tid: 1,
      connection: REF,
      direction,
      position: at,
      callBytes: bytes.length,
      callOffset: 0,
      sequence: call,
      bytes,
    });
  }
  reportSkips();
  emit({
    type: 'close',
    timeNs,
    connection: REF,
    readPosition: position.read,
    writePosition: position.write,
  });
  return { exchanges, copiedBytes, events };
}

/** A body in calls of 16 KiB, as TLS records come. */
function inCalls(mark: '<' | '>', body: string): string[] {
  const calls: string[] = [];
  for (let at = 0; at < body.length; at += 16_384) {
    calls.push(mark + body.slice(at, at + 16_384));
  }
  return calls;
}

function line({ request, response, damage }: Exchange): string {
  const end = response?.complete ? 'complete' : 'open';
  const kinds = [...damage.kinds].map((kind) => ` ${kind}`).join('');
  return `${request?.method} ${request?.bodyBytes}/${request?.skippedBytes ?? 0} → ${response?.status} ${response?.bodyBytes}/${response?.skippedBytes ?? 0} ${end}${kinds}`;
}

const MIB = 1024 * 1024;
const BODY = 'x'.repeat(MIB);
const HEAD = `<HTTP/1.1 200 OK\r\nContent-Length: ${MIB}\r\n\r\n`;

describe('verdicts on what nobody looks at', () => {
  for (const lagCalls of [0, 1, 7, 63, 64, 200]) {
    it(`leave out a download and keep what follows it (${lagCalls} calls late)`, () => {
      const calls = [GET, HEAD, ...inCalls('<', BODY), GET, OK, GET, OK];
      const { exchanges, copiedBytes } = converse(calls, { lagCalls });
      const skipped = MIB - Math.min(lagCalls * 16_384, MIB);
      assert.deepEqual(exchanges.map(line), [
        `GET 0/0 → 200 ${MIB}/${skipped} complete`,
        'GET 0/0 → 200 2/0 complete',
        'GET 0/0 → 200 2/0 complete',
      ]);
      const heads = (GET.length + OK.length - 2) * 2 + (GET.length + HEAD.length - 2);
      assert.equal(copiedBytes, heads + MIB - skipped);
    });
  }

  it('leave out an upload', () => {
    const head = `>POST /file HTTP/1.1\r\nContent-Length: ${MIB}\r\n\r\n`;
    const { exchanges } = converse([head, ...inCalls('>', BODY), OK, GET, OK]);
    assert.deepEqual(exchanges.map(line), [
      `POST ${MIB}/${MIB} → 200 2/0 complete`,
      'GET 0/0 → 200 2/0 complete',
    ]);
  });

  it('leave out a chunked download of a type that nobody reads, whose end is then not known', () => {
    const type =
      '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/zip\r\n\r\n';
    const chunks = Array.from({ length: 20 }, () => `<2000\r\n${'y'.repeat(0x2000)}\r\n`);
    const calls = [GET, `${type}5\r\nab`, '<cde\r\n', ...chunks, '<0\r\n\r\n', GET, OK];
    const { exchanges, copiedBytes } = converse(calls, { lagCalls: 1 });
    assert.deepEqual(
      exchanges.map(({ response, damage }) => [response?.status, response?.complete, damage.any]),
      [
        [200, false, false],
        [200, true, false],
      ],
    );
    assert.ok(copiedBytes < 1000, `${copiedBytes}`);
  });

  it('keep every body that is observed', () => {
    const handler: ExchangeHandler = () => ({
      response: () => ({ data: () => {}, gap: () => {}, end: () => {} }),
    });
    const { events } = converse([GET, HEAD, ...inCalls('<', BODY)], { handler });
    assert.equal(events.filter(({ type }) => type === 'skip').length, 0);
  });

  it('keep small bodies and streams of text', () => {
    const stream = '<HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';
    const small = `<HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n`;
    const calls = [GET, small, ...inCalls('<', 'x'.repeat(40_000)), GET, stream];
    const { events } = converse([...calls, ...inCalls('<', BODY)]);
    assert.equal(events.filter(({ type }) => type === 'skip').length, 0);
  });

  it('give up a connection that is no HTTP, for good', () => {
    const calls = Array.from({ length: 200 }, (_, index) =>
      index % 2 === 0 ? `>\x01\x02${'q'.repeat(100)}` : `<\x03\x04${'r'.repeat(100)}`,
    );
    const { exchanges, copiedBytes } = converse([...calls, ...inCalls('<', BODY)]);
    assert.deepEqual(exchanges, []);
    assert.ok(copiedBytes < 5000, `${copiedBytes}`);
  });

  it('let the next request be seen on a connection joined in the middle of a download', () => {
    const { exchanges, copiedBytes } = converse([...inCalls('<', BODY), GET, OK]);
    assert.deepEqual(exchanges.map(line), ['GET 0/0 → 200 2/0 complete']);
    assert.ok(copiedBytes < 100_000, `${copiedBytes}`);
  });

  it('leave out a download whose head was lost, and keep what follows it', () => {
    const { exchanges, copiedBytes } = converse([
      GET,
      `!${HEAD}${'x'.repeat(20_000)}`,
      ...inCalls('<', BODY.slice(20_000)),
      GET,
      OK,
    ]);
    assert.deepEqual(exchanges.map(line), [
      'GET 0/0 → undefined undefined/0 open gap',
      'GET 0/0 → 200 2/0 complete',
    ]);
    assert.ok(copiedBytes < 100_000, `${copiedBytes}`);
  });

  it('keep the answers to further requests after one whose head was lost', () => {
    const long = `<HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n`;
    const { exchanges } = converse([
      GET + GET.slice(1),
      `!${long}`,
      ...inCalls('<', 'x'.repeat(200_000)),
      OK,
    ]);
    assert.equal(exchanges.at(-1)?.response?.status, 200);
  });

  it('leave out an upload whose head was lost', () => {
    const head = `!>POST /file HTTP/1.1\r\nContent-Length: ${MIB}\r\n\r\n`;
    const { exchanges, copiedBytes } = converse([
      GET,
      OK,
      head,
      ...inCalls('>', BODY),
      OK,
      GET,
      OK,
    ]);
    assert.equal(exchanges.map(line).at(-1), 'GET 0/0 → 200 2/0 complete');
    assert.ok(copiedBytes < 100_000, `${copiedBytes}`);
  });

  it('give the same exchanges when the events are replayed', () => {
    const calls = [GET, HEAD, ...inCalls('<', BODY), GET, OK];
    const { exchanges, events } = converse(calls, { lagCalls: 5 });
    const again: Exchange[] = [];
    const transport = createTransport({
      createParser: createHttpStage({
        handler: () => undefined,
        onExchange: (exchange) => again.push(exchange),
      }),
    });
    events.forEach(transport.push);
    assert.deepEqual(again, exchanges);
  });

  it('count bytes that were lost, or the kernel would lift them at once', () => {
    const verdicts: ConnectionVerdict[] = [];
    const transport = createTransport({
      createParser: createHttpStage({
        handler: () => undefined,
        onVerdict: (_connection, verdict) => verdicts.push(verdict),
      }),
    });
    const request = Buffer.from('POST /file HTTP/1.1\r\nHost: h\r\nContent-Length: 700\r\n\r\n');
    const response = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
    const stream = { timeNs: 2n, connection: REF, tid: 1, enterNs: 1n, callOffset: 0, sequence: 0 };
    const sent = { ...stream, callBytes: request.length, position: 0, bytes: request };
    const got = { ...stream, callBytes: response.length, position: 0, bytes: response };
    transport.push({ type: 'data', direction: 'write', ...sent });
    transport.push({
      type: 'loss',
      timeNs: 2n,
      connection: REF,
      direction: 'write',
      position: request.length,
      lostBytes: 700,
      reason: 'ring-full',
    });
    transport.push({ type: 'data', direction: 'read', ...got });
    assert.deepEqual(verdicts, [
      {
        readUntil: response.length + 1_000_000,
        writeUntil: 0,
        whileWrittenBytes: request.length + 700,
      },
    ]);
  });
});
