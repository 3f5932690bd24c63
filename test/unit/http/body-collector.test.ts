/** Collected bodies are what the next stage got, up to the limit and the first hole. */
import assert from 'node:assert/strict';
import { type CollectedBodies, collectBodies } from '../../../src/http/body-collector.ts';
import type { Exchange, ExchangeObserver, ResponseMessage } from '../../../src/http/exchange.ts';

const exchange = { request: {}, response: {} } as Exchange;
const bytes = (text: string): Uint8Array => Buffer.from(text);

function collect(next: ExchangeObserver | undefined, maxBytes: number) {
  const ended: CollectedBodies[] = [];
  const handler = collectBodies({
    next: () => next,
    maxBytes,
    onEnd: (_exchange, bodies) => ended.push(bodies),
  });
  const observer = handler(exchange);
  assert.ok(observer);
  return { observer, ended };
}

describe('the body collector', () => {
  it('keeps both bodies and passes everything on', () => {
    const passed: string[] = [];
    const sink = (name: string) => ({
      data: (data: Uint8Array) => void passed.push(`${name} ${Buffer.from(data).toString()}`),
      gap: () => void passed.push(`${name} gap`),
      end: (complete: boolean) => void passed.push(`${name} end ${complete}`),
    });
    const { observer, ended } = collect(
      {
        requestBody: sink('request'),
        response: () => sink('response'),
        end: () => void passed.push('end'),
      },
      100,
    );
    observer.requestBody?.data(bytes('ask'), 1n);
    observer.requestBody?.end(true, 1n);
    const response = observer.response?.({} as ResponseMessage);
    response?.data(bytes('ans'), 2n);
    response?.data(bytes('wer'), 2n);
    response?.end(true, 3n);
    observer.end?.(exchange, 3n);
    assert.deepEqual(passed, [
      'request ask',
      'request end true',
      'response ans',
      'response wer',
      'response end true',
      'end',
    ]);
    assert.deepEqual(ended, [
      {
        request: { bytes: Buffer.from('ask'), cutBytes: 0, isWhole: true },
        response: { bytes: Buffer.from('answer'), cutBytes: 0, isWhole: true },
      },
    ]);
  });

  it('copies what it keeps, cuts at the limit, and keeps nothing behind a hole', () => {
    const { observer, ended } = collect(undefined, 4);
    const lent = bytes('abc');
    observer.requestBody?.data(lent, 1n);
    lent.fill(0);
    observer.requestBody?.data(bytes('def'), 1n);
    observer.requestBody?.end(true, 1n);
    const response = observer.response?.({} as ResponseMessage);
    response?.data(bytes('x'), 2n);
    response?.gap(2n);
    response?.data(bytes('y'), 2n);
    response?.end(true, 3n);
    observer.end?.(exchange, 3n);
    assert.deepEqual(ended, [
      {
        request: { bytes: Buffer.from('abcd'), cutBytes: 2, isWhole: true },
        response: { bytes: Buffer.from('x'), cutBytes: 1, isWhole: false },
      },
    ]);
  });
});
