/** When an exchange is judged, and what is heard of one that is dropped: nothing. */
import assert from 'node:assert/strict';
import { Refusal } from '../../../src/config/format.ts';
import { httpFilter, httpFilterCondition } from '../../../src/config/http-filter.ts';
import { type Exchange, type ExchangeObserver, Headers } from '../../../src/http/exchange.ts';
import { createExchangeFilter } from '../../../src/http/exchange-filter.ts';
import { Damage } from '../../../src/util/damage.ts';

function begin(expression: string, options: { status?: number; noRequest?: boolean } = {}) {
  const heard: string[] = [];
  let unanswered = 0;
  const filter = createExchangeFilter({
    condition: httpFilterCondition(expression),
    processOf: () => ({ pid: 7, name: 'curl', executable: '/usr/bin/curl' }),
    onUnanswered: () => {
      unanswered += 1;
    },
  });
  const exchange: Exchange = {
    connection: { process: { pid: 7, startNs: 1n }, stack: 'openssl', object: 8, generation: 1n },
    role: 'client',
    version: '1.1',
    ordinal: 0,
    damage: new Damage(),
  };
  if (options.noRequest !== true) {
    exchange.request = {
      startNs: 1n,
      endNs: 2n,
      method: 'POST',
      target: '/v1/x?a=b',
      headers: new Headers([
        ['Host', 'api.test:8443'],
        ['X-Team', 'one'],
        ['x-team', 'two'],
      ]),
      bodyBytes: 0,
      complete: false,
    };
  }
  const observer: ExchangeObserver | undefined = filter.wrap(() => {
    heard.push('asked');
    return {
      response: () => {
        heard.push('response');
        return { data() {}, gap() {}, end() {} };
      },
      end: () => heard.push('end'),
    };
  })(exchange);
  filter.whenKept(exchange, () => heard.push('told'));
  const after = { request: [...heard], response: [] as string[], end: [] as string[] };
  const response = {
    startNs: 3n,
    endNs: 4n,
    status: options.status ?? 200,
    headers: new Headers([['Content-Type', 'Text/HTML; charset=utf-8']]),
    bodyBytes: 0,
    complete: false,
  };
  exchange.response = response;
  const sink = observer?.response?.(response);
  after.response = [...heard];
  (exchange.request ?? response).bodyBytes = 100;
  response.bodyBytes = 2000;
  observer?.end?.(exchange, 5n);
  after.end = [...heard];
  return {
    after,
    isDropped: filter.isDropped(exchange),
    isBodyWanted: sink !== undefined,
    unanswered,
  };
}

const ALL = ['asked', 'told', 'response', 'end'];

describe('the filter of exchanges', () => {
  for (const expression of [
    'request.method == "POST" && request.path == "/v1/x" && request.query == "a=b"',
    'request.host == "api.test" && request.port == 8443 && request.scheme == "https"',
    'request.headers["x-team"] == "one, two" && !("X-Team" in request.headers)',
    'process.pid == 7 && process.name == "curl" && process.executable == "/usr/bin/curl"',
    // What comes later cannot change it any more.
    'request.method == "POST" || response.status == 500',
    'request.method == "POST" || response.size > 5',
  ]) {
    it(`keeps at once: ${expression}`, () => {
      const { after, unanswered } = begin(expression);
      assert.deepEqual(after, { request: ['asked', 'told'], response: ALL.slice(0, 3), end: ALL });
      assert.equal(unanswered, 0);
    });
  }

  for (const expression of [
    'request.method == "GET"',
    'request.host != "api.test" && response.status == 200',
    'request.port == 443 && response.size > 0',
  ]) {
    it(`drops at once, and asks nobody: ${expression}`, () => {
      const { after, isDropped } = begin(expression);
      assert.deepEqual(after, { request: [], response: [], end: [] });
      assert.ok(isDropped);
    });
  }

  it('judges with the head of the response: what waited is told then, in time for its body', () => {
    const { after } = begin('response.status < 400 && response.content_type == "text/html"');
    assert.deepEqual(after, {
      request: ['asked'],
      response: ['asked', 'told', 'response'],
      end: ALL,
    });
  });

  it('drops with the head of the response: nothing is told, and nobody wants its body', () => {
    const { after, isDropped, isBodyWanted } = begin('response.status < 400', { status: 503 });
    assert.deepEqual(after.end, ['asked']);
    assert.ok(isDropped);
    assert.ok(!isBodyWanted);
  });

  it('judges sizes at the end', () => {
    const kept = begin('request.size == 100 && response.size == 2000');
    assert.deepEqual(kept.after.response, ['asked', 'response']);
    assert.deepEqual(kept.after.end, ['asked', 'response', 'told', 'end']);
    const dropped = begin('response.size < 2000');
    assert.deepEqual(dropped.after.end, ['asked', 'response']);
    assert.ok(dropped.isDropped);
  });

  it('keeps what it has no answer for, and counts it', () => {
    const { after, unanswered } = begin('request.headers["absent"] == "x"');
    assert.deepEqual(after.request, ['asked', 'told']);
    assert.equal(unanswered, 1);
    assert.equal(
      begin('has(request.headers.absent) && request.headers.absent == "x"').isDropped,
      true,
    );
    assert.equal(begin('request.headers["absent"] == "x" && response.status == 1').isDropped, true);
  });

  it('keeps an exchange whose request was not seen, unless the response alone decides', () => {
    const unknown = begin('request.method == "GET"', { noRequest: true });
    assert.ok(!unknown.isDropped);
    assert.equal(unknown.unanswered, 1);
    assert.ok(
      begin('response.status == 500 && request.method == "GET"', { noRequest: true }).isDropped,
    );
  });

  // Elsewhere such a filter keeps everything, or nothing, and nobody is told.
  for (const field of ['response.status', 'request.method', 'request.headers["x-team"]']) {
    it(`6. a filter that compares ${field} is neither always true nor always false`, () => {
      const isNumber = field === 'response.status';
      const kept = begin(`${field} == ${isNumber ? '200' : '"GET"'}`);
      const other = begin(`${field} != ${isNumber ? '200' : '"GET"'}`);
      assert.notEqual(kept.isDropped, other.isDropped);
    });
  }

  it('6. a filter on what does not exist, or on nothing, is refused and not taken for a yes', () => {
    for (const text of ['response.body=', 'response.body == ""', 'request.path', '']) {
      assert.ok(httpFilter().parse(text) instanceof Refusal, text);
    }
  });
});
