/** Connections to a server of the process are left out from their first answer on; no client's is taken for one. */
import assert from 'node:assert/strict';
import type { ConnectionRef, Direction } from '../../../src/capture/events.ts';
import type { ConnectionVerdict } from '../../../src/capture/verdict.ts';
import type { Exchange } from '../../../src/http/exchange.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\0\0\0\x04\0\0\0\0\0';
const REQUEST = 'GET /health HTTP/1.1\r\nHost: here\r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('connections on which a process only answers', () => {
  let verdicts: ConnectionVerdict[];
  let exchanges: Exchange[];

  /** `<` is read, `>` written, each by a call of its own. */
  function run(calls: readonly string[], leavesOutServed = true): void {
    verdicts = [];
    exchanges = [];
    const connection: ConnectionRef = {
      process: { pid: 1, startNs: 1n },
      stack: 'openssl',
      object: 8,
      generation: 1n,
    };
    const stage = createHttpStage({
      handler: () => undefined,
      leavesOutServed,
      onVerdict: (_, verdict) => verdicts.push(verdict),
      onExchange: (exchange) => exchanges.push(exchange),
    });
    const parser = stage(connection);
    const ends = { read: 0, write: 0 };
    let timeNs = 1n;
    for (const call of calls) {
      const direction: Direction = call.startsWith('<') ? 'read' : 'write';
      const bytes = Buffer.from(call.slice(1), 'latin1');
      timeNs += 1n;
      parser.data(direction, bytes, { enterNs: timeNs, timeNs, callOffset: 0 }, ends[direction]);
      ends[direction] += bytes.length;
    }
    parser.end('closed', timeNs);
  }

  const served: Record<string, string[]> = {
    'a request and its answer': [`<${REQUEST}`, `>${ANSWER}`],
    'a request in pieces': ['<GE', `<${REQUEST.slice(2)}`, `>${ANSWER}`],
    'HTTP/2': [`<${PREFACE}${SETTINGS}`, `>${SETTINGS}`],
  };
  for (const [name, calls] of Object.entries(served)) {
    it(`${name}: nothing more is copied, and nothing told`, () => {
      run([...calls, `<${REQUEST}`, `>${ANSWER}`]);
      assert.deepEqual(
        verdicts.map(({ isServed, readUntil, writeUntil }) => [isServed, readUntil, writeUntil]),
        [[true, Infinity, Infinity]],
      );
      assert.deepEqual(exchanges, []);
    });
    it(`${name}: followed where servers are`, () => {
      run(calls, false);
      assert.equal(
        verdicts.some((verdict) => verdict.isServed),
        false,
      );
    });
  }

  const event = 'data: {"type":"content_block_delta"}\n\n';
  const dataFrame = `\0\0${String.fromCharCode(event.length)}\0\0\0\0\0\x01${event}`;
  const clients: Record<string, string[]> = {
    'a client': [`>${REQUEST}`, `<${ANSWER}`],
    'a client of HTTP/2': [`>${PREFACE}${SETTINGS}`, `<${SETTINGS}`],
    'a client that reads SETTINGS before it writes': [`<${SETTINGS}`, `>${PREFACE}${SETTINGS}`],
    'a client joined in a frame of the answer': [`<${dataFrame}`, `>${SETTINGS}`],
    'a client joined in text': ['<I think that it is so', `>${REQUEST}`, `<${ANSWER}`],
    'a client joined in a log': ['<INFO starting up', `>${REQUEST}`, `<${ANSWER}`],
    'a client joined in text about requests': [`<${REQUEST}`, `>${REQUEST}`, `<${ANSWER}`],
    'a client joined in an answer, that writes first': [`>${REQUEST}`, `<${REQUEST}`, `>${ANSWER}`],
  };
  for (const [name, calls] of Object.entries(clients)) {
    it(`${name} is no server`, () => {
      run(calls);
      assert.equal(
        verdicts.some((verdict) => verdict.isServed),
        false,
      );
    });
  }
});
