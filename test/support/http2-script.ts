/** HTTP/2 conversations written frame by frame, for tables of cases. */
import assert from 'node:assert/strict';
import {
  type Call,
  type RunOptions,
  run,
  type Seen,
  splitEveryByte,
  summary,
} from './http-generator.ts';
import {
  ACK,
  END_STREAM,
  type Field,
  frame,
  headers,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
} from './http2-writer.ts';

/** A conversation being written: both directions with their own tables. */
export class Script {
  readonly calls: Call[] = [];
  readonly client = new TestEncoder();
  readonly server = new TestEncoder();

  constructor(hasBeginning = true) {
    if (hasBeginning) {
      this.send(PREFACE, settings([[3, 100]]));
      this.answer(settings(), frame('SETTINGS', ACK, 0));
      this.send(frame('SETTINGS', ACK, 0));
    }
  }

  send(...bytes: Uint8Array[]): this {
    this.calls.push({ side: 'request', bytes: Buffer.concat(bytes) });
    return this;
  }

  answer(...bytes: Uint8Array[]): this {
    this.calls.push({ side: 'response', bytes: Buffer.concat(bytes) });
    return this;
  }

  request(id: number, path: string, body?: string, more: readonly Field[] = []): this {
    const block = this.client.block(requestFields(path, more, body === undefined ? 'GET' : 'POST'));
    return body === undefined
      ? this.send(headers(id, block, END_STREAM))
      : this.send(headers(id, block), frame('DATA', END_STREAM, id, body));
  }

  head(status: number, more: readonly Field[] = []): Buffer {
    return this.server.block([[':status', String(status)], ...more]);
  }

  response(id: number, status: number, body?: string, more: readonly Field[] = []): this {
    const block = this.head(status, more);
    return body === undefined
      ? this.answer(headers(id, block, END_STREAM))
      : this.answer(headers(id, block), frame('DATA', END_STREAM, id, body));
  }

  /** Loses the last call. */
  lost(): this {
    const last = this.calls.at(-1);
    if (last) {
      last.isLost = 'silent';
    }
    return this;
  }

  run(options: RunOptions = {}): Seen[] {
    return run(this.calls, options);
  }
}

/** What a table of cases compares of an exchange. */
export function view(one: Seen | undefined): Record<string, unknown> {
  const { request, response, damage } = one?.exchange ?? {};
  return {
    request: request && `${request.method} ${request.target}`,
    status: response?.status,
    body: one?.responseBody.toString('latin1'),
    damage: [...(damage?.kinds ?? [])],
  };
}

/** The same exchanges whole, byte by byte, and as the server sees them. */
export function runEveryWay(script: Script): Seen[] {
  const whole = script.run();
  assert.deepEqual(summary(run(splitEveryByte(script.calls))), summary(whole));
  const served = script.run({ role: 'server' });
  assert.deepEqual(
    summary(served).map((one) => ({ ...(one as object), role: 'client' })),
    summary(whole),
  );
  return whole;
}
