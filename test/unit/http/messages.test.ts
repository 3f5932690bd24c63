/** HTTP/1.x messages, legal and illegal, as a table; every legal case under every split into two and into bytes. */
import assert from 'node:assert/strict';
import { createHttpCounters } from '../../../src/http/http-options.ts';
import {
  callsOf,
  type RunOptions,
  run,
  type Seen,
  splitAt,
  splitEveryByte,
  summary,
} from '../../support/http-generator.ts';

interface Case {
  title: string;
  calls: string[];
  /** Per exchange: `METHOD target → status`, bodies, and damage. */
  expected: string[];
  options?: RunOptions;
  /** The evidence lies in where calls begin, so splits change the result. */
  noSplits?: boolean;
}

function line({ exchange, requestBody, responseBody }: Seen): string {
  const { request, response, damage } = exchange;
  const sent = request ? `${request.method} ${request.target}` : '-';
  const got = response ? `${response.status}` : '-';
  const open = `${request?.complete === false ? ' request-open' : ''}${response?.complete === false ? ' response-open' : ''}`;
  const kinds = damage.any ? ` [${[...damage.kinds].join(' ')}]` : '';
  return `${sent} (${requestBody.toString('latin1')}) → ${got} (${responseBody.toString('latin1')})${open}${kinds}`;
}

const OK = '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const GET = '>GET /a HTTP/1.1\r\nHost: h\r\n\r\n';

const LEGAL: Case[] = [
  { title: 'a plain exchange', calls: [GET, OK], expected: ['GET /a () → 200 (ok)'] },
  {
    title: 'the server side',
    calls: [GET, OK],
    expected: ['GET /a () → 200 (ok)'],
    options: { role: 'server' },
  },
  {
    title: 'keep-alive',
    calls: [GET, OK, GET, OK, GET, OK],
    expected: ['GET /a () → 200 (ok)', 'GET /a () → 200 (ok)', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'pipelining',
    calls: [`${GET}${GET.slice(1)}`, OK, OK],
    expected: ['GET /a () → 200 (ok)', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'interim responses before the final one',
    calls: [
      '>POST /p HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
      '<HTTP/1.1 100 Continue\r\n\r\n',
      '>abc',
      '<HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n',
      OK,
    ],
    expected: ['POST /p (abc) → 200 (ok)'],
  },
  {
    title: 'chunked with extensions, upper case sizes, leading zeros and trailers',
    calls: [
      GET,
      '<HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n000A;a="b;c"\r\n0123456789\r\n1 ;x\r\nZ\r\n0;last\r\nX-T: 1\r\n\r\n',
      GET,
      OK,
    ],
    expected: ['GET /a () → 200 (0123456789Z)', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'HEAD with a length and no body',
    calls: ['>HEAD /h HTTP/1.1\r\n\r\n', '<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n', GET, OK],
    expected: ['HEAD /h () → 200 ()', 'GET /a () → 200 (ok)'],
  },
  {
    title: '204 and 304 with a length and no body',
    calls: [
      GET,
      '<HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n',
      GET,
      '<HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
      GET,
      OK,
    ],
    expected: ['GET /a () → 304 ()', 'GET /a () → 204 ()', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'a body that the end of the connection ends',
    calls: [GET, '<HTTP/1.0 200 OK\r\n\r\nsome', '< more'],
    expected: ['GET /a () → 200 (some more)'],
  },
  {
    title: 'the same when nobody saw the connection close',
    calls: [GET, '<HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome'],
    expected: ['GET /a () → 200 (some) response-open [truncated]'],
    options: { close: false },
  },
  {
    title: 'Transfer-Encoding beats Content-Length',
    calls: [
      '>POST /t HTTP/1.1\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      OK,
    ],
    expected: ['POST /t (abc) → 200 (ok)'],
  },
  {
    title: 'equal Content-Lengths are one',
    calls: ['>POST /t HTTP/1.1\r\nContent-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc', OK],
    expected: ['POST /t (abc) → 200 (ok)'],
  },
  {
    title: 'bare line feeds, and empty lines before a message',
    calls: ['>\r\n\nGET /a HTTP/1.1\nHost: h\n\n', '<HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    expected: ['GET /a () → 200 (ok)'],
  },
  {
    title: 'empty lines between messages',
    calls: [GET, OK, `>\r\n\r\n${GET.slice(1)}`, `<\r\n${OK.slice(1)}`],
    expected: ['GET /a () → 200 (ok)', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'no reason phrase, methods of any name, absolute and asterisk targets',
    calls: [
      '>PROPFIND http://h.example/x HTTP/1.1\r\n\r\n',
      '<HTTP/1.1 207\r\nContent-Length: 0\r\n\r\n',
      '>OPTIONS * HTTP/1.1\r\n\r\n',
      '<HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
    ],
    expected: ['PROPFIND http://h.example/x () → 207 ()', 'OPTIONS * () → 200 ()'],
  },
  {
    title: 'a response before the request is over',
    calls: [
      '>POST /p HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc',
      '<HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nea',
      '>def',
      '<rl',
    ],
    expected: ['POST /p (abcdef) → 200 (earl)'],
  },
  {
    title: 'an upgrade leaves HTTP',
    calls: [
      '>GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n',
      '<HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05GET /',
      '>GET /a HTTP/1.1\r\n\r\n',
    ],
    expected: ['GET /ws () → 101 ()'],
  },
  {
    title: 'CONNECT leaves HTTP when it succeeds, and only then',
    calls: [
      '>CONNECT h:443 HTTP/1.1\r\n\r\n',
      '<HTTP/1.1 407 Who are you\r\nContent-Length: 2\r\n\r\nno',
      '>CONNECT h:443 HTTP/1.1\r\n\r\n',
      '<HTTP/1.1 200 Fine\r\n\r\n',
      '>GET /a HTTP/1.1\r\n\r\n',
      OK,
    ],
    expected: ['CONNECT h:443 () → 407 (no)', 'CONNECT h:443 () → 200 ()'],
  },
  {
    title: 'the end in the middle of a body',
    calls: [GET, '<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    expected: ['GET /a () → 200 (half) response-open [truncated]'],
  },
  {
    title: 'the end before the response',
    calls: [GET],
    expected: ['GET /a () → - () [truncated]'],
  },
  {
    title: 'an unasked 408',
    calls: [GET, OK, '<HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'],
    expected: ['GET /a () → 200 (ok)', '- () → 408 ()'],
  },
];

const ILLEGAL: Case[] = [
  ...['-5', 'zz', '0x3', '', ' 5', '5 5', '123456789abcdef01', '+5', '5,'].map(
    (size): Case => ({
      title: `chunk size "${size}"`,
      calls: [
        GET,
        `<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n${size}\r\nhello\r\n0\r\n\r\n`,
        GET,
        OK,
      ],
      expected: ['GET /a () → 200 (ab) response-open [decode-error]', 'GET /a () → 200 (ok)'],
    }),
  ),
  {
    title: 'a chunk that is longer than it says',
    calls: [
      GET,
      '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n',
      GET,
      OK,
    ],
    expected: ['GET /a () → 200 (ab) response-open [decode-error]', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'different Content-Lengths',
    calls: [GET, '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok', GET, OK],
    expected: ['GET /a () → 200 () response-open [decode-error]', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'a request whose last coding is not chunked',
    calls: ['>POST /t HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc', OK, GET, OK],
    expected: ['POST /t () → 200 (ok) request-open [decode-error]', 'GET /a () → 200 (ok)'],
  },
  {
    title: 'a field without a colon is marked and passed over',
    calls: ['>GET /a HTTP/1.1\r\nHost h\r\nX: y\r\n\r\n', OK],
    expected: ['GET /a () → 200 (ok) [decode-error]'],
  },
  {
    title: 'bytes after a response that are no response',
    calls: [GET, `${OK}!!!!`, GET, OK],
    expected: ['GET /a () → 200 (ok)', 'GET /a () → 200 (ok)'],
    noSplits: true,
  },
];

describe('http messages', () => {
  for (const { title, calls, expected, options, noSplits } of [...LEGAL, ...ILLEGAL]) {
    it(title, () => {
      const whole = callsOf(...calls);
      const seen = run(whole, options);
      assert.deepEqual(seen.map(line), expected);
      if (noSplits) {
        return;
      }
      const reference = summary(seen);
      whole.forEach((call, index) => {
        for (let at = 1; at < call.bytes.length; at += 1) {
          const split = run(splitAt(whole, index, at), options);
          assert.deepEqual(summary(split), reference, `call ${index} cut at ${at}`);
        }
      });
      assert.deepEqual(summary(run(splitEveryByte(whole), options)), reference, 'single bytes');
    });
  }

  it('fields: order, repetition, folding, white space, latin1', () => {
    const [one] = run(
      callsOf(
        '>GET / HTTP/1.1\r\nA: 1\r\na:  2 \t\r\nFold: x\r\n  y\r\n\tz\r\nEmpty:\r\nLatin: \xe9\r\nSpace : s\r\n\r\n',
        OK,
      ),
    );
    assert.deepEqual(one?.exchange.request?.headers.fields, [
      ['A', '1'],
      ['a', '2'],
      ['Fold', 'x y z'],
      ['Empty', ''],
      ['Latin', 'é'],
      ['Space', 's'],
    ]);
    assert.equal(one?.exchange.request?.headers.get('a'), '1, 2');
  });

  it('times: entry of the first byte, return of the last', () => {
    const [one] = run(
      callsOf(GET.slice(0, 5), `>${GET.slice(5)}`, OK.slice(0, 9), `<${OK.slice(9)}`),
    );
    assert.equal(one?.exchange.request?.startNs, 1_000_600n);
    assert.equal(one?.exchange.request?.endNs, 1_002_000n);
    assert.equal(one?.exchange.response?.startNs, 1_002_600n);
    assert.equal(one?.exchange.response?.endNs, 1_004_000n);
  });

  it('trailers', () => {
    const [one] = run(
      callsOf(
        GET,
        '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n',
      ),
    );
    assert.deepEqual(one?.exchange.response?.trailers?.fields, [
      ['A', '1'],
      ['B', '2'],
    ]);
  });

  it('a head over the limit keeps what frames the body, and says so', () => {
    const filler = 'X-Filler: 0123456789\r\n'.repeat(200);
    for (const calls of [
      callsOf(`>POST / HTTP/1.1\r\n${filler}Content-Length: 3\r\n\r\nabc`, OK),
      splitEveryByte(callsOf(`>POST / HTTP/1.1\r\n${filler}Content-Length: 3\r\n\r\nabc`, OK)),
    ]) {
      const [one] = run(calls, { http: { limits: { maxHeadBytes: 1024 } } });
      assert.deepEqual([...(one?.exchange.damage.kinds ?? [])], ['limit']);
      assert.equal(one?.requestBody.toString(), 'abc');
      assert.equal(one?.exchange.response?.status, 200);
    }
    const [many] = run(callsOf(`>POST / HTTP/1.1\r\n${filler}Content-Length: 3\r\n\r\nabc`, OK), {
      http: { limits: { maxHeaderFields: 10 } },
    });
    assert.deepEqual([...(many?.exchange.damage.kinds ?? [])], ['limit']);
    assert.equal(many?.requestBody.toString(), 'abc');
  });

  it('a start line without an end is bounded', () => {
    const calls = callsOf(`>GET /${'x'.repeat(300_000)}`, `>${'x'.repeat(300_000)}`);
    assert.equal(run(calls).length, 0);
  });

  it('more pipelined requests than the limit: responses are no longer matched, and that is marked', () => {
    const calls = [...Array.from({ length: 5 }, () => GET), ...Array.from({ length: 5 }, () => OK)];
    const seen = run(callsOf(...calls), { http: { limits: { maxPendingExchanges: 3 } } });
    assert.ok(seen.every((one) => one.exchange.damage.any));
    assert.ok(seen.every((one) => !(one.exchange.request && one.exchange.response)));
  });

  it('what is no HTTP/1.x is counted and skipped', () => {
    const counters = createHttpCounters();
    const h2 = run(
      callsOf('>PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '<\0\0\0\x04\0\0\0\0\0', `>${GET}`),
      {
        http: { counters },
      },
    );
    assert.equal(h2.length, 0);
    assert.equal(counters.http2Connections, 1);
    assert.equal(run(callsOf('>EHLO me\r\n', '<250 hi\r\n', '>QUIT\r\n')).length, 0);
    assert.equal(run(callsOf('>\x16\x03\x01\x02', '<\x16\x03\x03')).length, 0);
  });

  it('joined in the middle of a response body: the next request is exact', () => {
    const seen = run(callsOf('<rest of a body', '<GETTING there', GET, OK));
    assert.deepEqual(seen.map(line), ['GET /a () → 200 (ok)']);
  });

  it('joined in the middle of a request body', () => {
    const seen = run(callsOf('>rest of a body', OK, GET, OK));
    assert.deepEqual(seen.map(line), ['- () → 200 (ok) [joined-midway]', 'GET /a () → 200 (ok)']);
  });

  it('the end of a body after a loss is never taken for the beginning of a method', () => {
    const calls = callsOf('>POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n', '>A', OK, GET, OK);
    (calls[0] as { isLost?: string }).isLost = 'announced';
    assert.deepEqual(run(calls).map(line), ['- () → 200 (ok) [gap]', 'GET /a () → 200 (ok)']);
    const midway = run(callsOf('>A', GET, OK));
    assert.deepEqual(midway.map(line), ['GET /a () → 200 (ok)']);
  });

  it('gaps in bodies of known framing are counted off, and the rest is exact', () => {
    const calls = callsOf(
      GET,
      '<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n',
      '<abc',
      '<def',
      '<ghi',
      GET,
      '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
      '<def',
      '<ghi\r\n0\r\n\r\n',
    );
    for (const index of [3, 7]) {
      (calls[index] as { isLost?: string }).isLost = 'silent';
    }
    const seen = run(calls);
    assert.deepEqual(seen.map(line), [
      'GET /a () → 200 (abcghi) [gap]',
      'GET /a () → 200 (abcghi) [gap]',
    ]);
    for (const one of seen) {
      assert.equal(one.exchange.damage.lostBytes, 3);
      assert.equal(one.exchange.response?.bodyBytes, 9);
      assert.equal(one.holes, 1);
    }
  });

  it('lost chunks: the stream goes on at the next call that is a whole chunk', () => {
    const calls = callsOf(
      GET,
      '<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      '<3\r\nabc\r\n',
      '<3\r\ndef\r\n',
      '<3\r\nghi\r\n',
      '<0\r\n\r\n',
    );
    (calls[3] as { isLost?: string }).isLost = 'silent';
    const seen = run(calls);
    assert.deepEqual(seen.map(line), ['GET /a () → 200 (abcghi) [gap]']);
    assert.equal(seen[0]?.exchange.response?.complete, true);
  });

  it('a lost end shows at the close', () => {
    const calls = callsOf(GET, '<HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab', '<cd');
    (calls[2] as { isLost?: string }).isLost = 'silent';
    const [one] = run(calls);
    assert.equal(one && line(one), 'GET /a () → 200 (ab) [gap]');
    assert.equal(one?.exchange.damage.lostBytes, 2);
  });
});
