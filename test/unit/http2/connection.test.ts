/** HTTP/2 connections as tables: frames written by hand, and the exchanges they must give. */
import assert from 'node:assert/strict';
import { createHttpCounters } from '../../../src/http/http-options.ts';
import {
  callsOf,
  captureEvents,
  observe,
  run,
  type Seen,
  splitEveryByte,
} from '../../support/http-generator.ts';
import { runEveryWay, Script, view } from '../../support/http2-script.ts';
import {
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  headers,
  PADDED,
  PREFACE,
  PRIORITY,
  padded,
  requestFields,
  settings,
  uint32,
} from '../../support/http2-writer.ts';

describe('http2 connection', () => {
  it('a request and its response', () => {
    const script = new Script()
      .request(1, '/v1/chat', '{"a":1}', [['content-type', 'application/json']])
      .response(1, 200, 'hello', [['server', 'x']]);
    const [one, ...others] = runEveryWay(script);
    assert.equal(others.length, 0);
    assert.equal(one?.exchange.version, '2');
    assert.deepEqual(one?.exchange.request?.headers.fields, [
      ['host', 'h.example'],
      ['content-type', 'application/json'],
    ]);
    assert.equal(one?.exchange.request?.target, '/v1/chat');
    assert.equal(one?.requestBody.toString(), '{"a":1}');
    assert.equal(one?.responseBody.toString(), 'hello');
    assert.ok(one?.exchange.request?.complete && one.exchange.response?.complete);
    assert.deepEqual(one?.exchange.response?.headers.fields, [['server', 'x']]);
    assert.deepEqual([...(one?.exchange.damage.kinds ?? [])], []);
  });

  it('a host field that is there stands as it is', () => {
    const script = new Script()
      .request(1, '/', undefined, [['host', 'other']])
      .response(1, 200, '');
    assert.deepEqual(script.run()[0]?.exchange.request?.headers.all('host'), ['other']);
  });

  it('times: the first byte of a frame header, and the last byte of the last frame', () => {
    const script = new Script().request(1, '/').response(1, 200, 'abc');
    const [one] = run(splitEveryByte(script.calls));
    const events = captureEvents(splitEveryByte(script.calls));
    const bytes = script.calls.map((call) => call.bytes.length);
    const requestStart = (bytes[0] ?? 0) + (bytes[1] ?? 0) + (bytes[2] ?? 0);
    const first = events[requestStart];
    const last = events[requestStart + (bytes[3] ?? 0) + (bytes[4] ?? 0) - 1];
    assert.ok(first?.type === 'data' && last?.type === 'data');
    assert.equal(one?.exchange.request?.startNs, first.enterNs);
    assert.equal(one?.exchange.response?.endNs, last.timeNs);
  });

  it('padding, priority, and frames without meaning for an exchange', () => {
    const script = new Script();
    const block = script.client.block(requestFields('/p'));
    const priority = Buffer.from([0, 0, 0, 0, 15]);
    script
      .send(
        frame('PRIORITY', 0, 3, priority),
        frame(
          'HEADERS',
          PADDED | PRIORITY | END_HEADERS,
          1,
          padded(Buffer.concat([priority, block]), 7),
        ),
        frame('PING', 0, 0, Buffer.alloc(8)),
        frame('DATA', PADDED, 1, padded('ab', 255)),
        frame('WINDOW_UPDATE', 0, 0, uint32(1000)),
        frame(0xbe, 0xff, 1, 'an extension'),
        frame('DATA', PADDED, 1, padded('', 3)),
        frame('DATA', PADDED | END_STREAM, 1, padded('c', 0)),
      )
      .answer(
        frame('HEADERS', PADDED | END_HEADERS, 1, padded(script.head(200), 1)),
        frame('DATA', PADDED | END_STREAM, 1, padded('xyz', 100)),
      );
    const [one] = runEveryWay(script);
    assert.equal(one?.requestBody.toString(), 'abc');
    assert.equal(one?.exchange.request?.bodyBytes, 3);
    assert.equal(one?.responseBody.toString(), 'xyz');
    assert.equal(one?.exchange.damage.any, false);
  });

  it('CONTINUATION frames of every size, empty ones too', () => {
    for (const cut of [1, 2, 3, 7, 20]) {
      const script = new Script();
      const block = script.client.block(requestFields(`/cut-${cut}`, [['x-long', 'y'.repeat(50)]]));
      script.send(headers(1, block, END_STREAM, cut)).response(1, 204);
      const [one] = runEveryWay(script);
      assert.equal(one?.exchange.request?.target, `/cut-${cut}`);
      assert.equal(one?.exchange.request?.headers.get('x-long'), 'y'.repeat(50));
    }
    const script = new Script();
    const block = script.client.block(requestFields('/empty'));
    script
      .send(
        frame('HEADERS', END_STREAM, 1),
        frame('CONTINUATION', 0, 1),
        frame('CONTINUATION', 0, 1, block),
        frame('CONTINUATION', END_HEADERS, 1),
      )
      .response(1, 200, 'ok');
    assert.deepEqual(view(runEveryWay(script)[0]), {
      request: 'POST /empty',
      status: 200,
      body: 'ok',
      damage: [],
    });
  });

  it('interim responses, trailers in both directions', () => {
    const script = new Script();
    script
      .send(headers(1, script.client.block(requestFields('/t'))), frame('DATA', 0, 1, 'abc'))
      .send(headers(1, script.client.block([['x-digest', 'q']]), END_STREAM))
      .answer(headers(1, script.head(100)))
      .answer(headers(1, script.head(103, [['link', '</x>']])))
      .answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'r'))
      .answer(headers(1, script.server.block([['x-sum', 's']]), END_STREAM));
    const [one] = runEveryWay(script);
    assert.deepEqual(one?.exchange.request?.trailers?.fields, [['x-digest', 'q']]);
    assert.deepEqual(one?.exchange.response?.trailers?.fields, [['x-sum', 's']]);
    assert.equal(one?.exchange.response?.status, 200);
    assert.deepEqual(one?.exchange.response?.headers.fields, []);
    assert.ok(one?.exchange.request?.complete && one.exchange.response?.complete);
  });

  it('HEAD, 204, 304 and an empty body that claims an encoding', () => {
    const script = new Script();
    const head = script.client.block(requestFields('/h', [], 'HEAD'));
    script
      .send(headers(1, head, END_STREAM))
      .response(1, 200, undefined, [
        ['content-length', '1234'],
        ['content-encoding', 'gzip'],
      ])
      .request(3, '/b')
      .response(3, 204)
      .request(5, '/c')
      .response(5, 304, undefined, [['content-length', '9']]);
    const seen = runEveryWay(script);
    assert.deepEqual(
      seen.map((one) => [one.exchange.response?.status, one.exchange.response?.complete]),
      [
        [200, true],
        [204, true],
        [304, true],
      ],
    );
    assert.ok(seen.every((one) => !one.exchange.damage.any));
  });

  it('128 streams, interleaved piece by piece', () => {
    const script = new Script();
    const ids = Array.from({ length: 128 }, (_, index) => index * 2 + 1);
    for (const id of ids) {
      script.request(id, `/s/${id}`, `body of ${id}`);
    }
    for (const id of ids.toReversed()) {
      script.answer(headers(id, script.head(200, [['x-id', String(id)]])));
    }
    for (let round = 0; round < 4; round += 1) {
      script.answer(...ids.map((id) => frame('DATA', 0, id, `${id}/${round} `)));
    }
    script.answer(...ids.map((id) => frame('DATA', END_STREAM, id)));
    const seen = runEveryWay(script);
    assert.equal(seen.length, 128);
    for (const [index, one] of seen.entries()) {
      const id = ids[index] as number;
      assert.equal(one.exchange.request?.target, `/s/${id}`);
      assert.equal(one.requestBody.toString(), `body of ${id}`);
      assert.equal(one.exchange.response?.headers.get('x-id'), String(id));
      assert.equal(one.responseBody.toString(), `${id}/0 ${id}/1 ${id}/2 ${id}/3 `);
      assert.equal(one.exchange.damage.any, false);
    }
  });

  it('a pushed stream is left out, and its fields keep the table right', () => {
    const script = new Script().request(1, '/page');
    const promise = script.server.block([
      ...requestFields('/style.css', [['x-promised', 'p']], 'GET'),
    ]);
    script
      .answer(
        frame('PUSH_PROMISE', END_HEADERS, 1, Buffer.concat([uint32(2), promise])),
        headers(2, script.head(200, [['x-pushed', 'q']])),
        frame('DATA', END_STREAM, 2, 'pushed'),
      )
      .response(1, 200, 'page', [
        ['x-pushed', 'q'],
        ['x-promised', 'p'],
      ]);
    const seen = runEveryWay(script);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.exchange.response?.headers.get('x-promised'), 'p');
    assert.equal(seen[0]?.responseBody.toString(), 'page');
  });

  it('RST_STREAM ends a stream, and what still comes for it is no exchange', () => {
    const script = new Script().request(1, '/cancelled').request(3, '/kept');
    script
      .answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'half'))
      .send(frame('RST_STREAM', 0, 1, uint32(8)))
      .answer(frame('DATA', END_STREAM, 1, 'late'))
      .response(3, 200, 'ok');
    const seen = runEveryWay(script);
    assert.deepEqual(seen.map(view), [
      { request: 'GET /cancelled', status: 200, body: 'half', damage: ['truncated'] },
      { request: 'GET /kept', status: 200, body: 'ok', damage: [] },
    ]);
  });

  it('GOAWAY ends the streams that will get no answer', () => {
    const script = new Script().request(1, '/answered').request(3, '/refused');
    script
      .answer(frame('GOAWAY', 0, 0, Buffer.concat([uint32(1), uint32(0), Buffer.from('bye')])))
      .response(1, 200, 'ok');
    assert.deepEqual(script.run().map(view), [
      { request: 'GET /answered', status: 200, body: 'ok', damage: [] },
      { request: 'GET /refused', status: undefined, body: '', damage: ['truncated'] },
    ]);
  });

  it('the end of the connection cuts what is open', () => {
    const script = new Script().request(1, '/open');
    script.answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'ha'));
    assert.deepEqual(script.run().map(view), [
      { request: 'GET /open', status: 200, body: 'ha', damage: ['truncated'] },
    ]);
  });

  it('a stream that is silent too long ends alone', () => {
    const script = new Script().request(1, '/silent').request(3, '/busy');
    script.answer(headers(3, script.head(200)));
    for (let count = 0; count < 60; count += 1) {
      script.answer(frame('DATA', 0, 3, 'x'));
    }
    script.answer(frame('DATA', END_STREAM, 3));
    const seen = script.run({ http: { streamTimeoutNs: 20_000n } });
    assert.deepEqual(
      seen.map((one) => view(one).damage),
      [['truncated'], []],
    );
  });

  it('gRPC is recognised, and its messages are counted wherever they are cut', () => {
    const type: Field = ['content-type', 'application/grpc+proto'];
    const message = (size: number): string => {
      const prefix = `\0\0\0${String.fromCharCode(size >> 8, size & 255)}`;
      return prefix + 'data: x\n\n'.repeat(40).slice(0, size);
    };
    const messages = Buffer.from([0, 1, 2, 300, 0].map(message).join(''), 'latin1');
    const script = new Script().request(1, '/pkg.Service/Method', message(2), [type]);
    script
      .answer(headers(1, script.head(200, [type])))
      .answer(frame('DATA', END_STREAM, 1, messages));
    for (const { exchange } of [...runEveryWay(script), ...run(splitEveryByte(script.calls))]) {
      assert.equal(exchange.protocol, 'grpc');
      assert.equal(exchange.request?.grpcMessages, 1);
      assert.equal(exchange.response?.grpcMessages, 5);
    }
    const body = frame('DATA', END_STREAM, 3, messages);
    script.request(3, '/pkg.Service/Cut', message(0), [type]);
    script.answer(headers(3, script.head(200, [type])), body.subarray(0, 20));
    script.answer(body.subarray(20, 30)).lost().answer(body.subarray(30));
    const cut = script.run()[1]?.exchange;
    assert.deepEqual([...(cut?.damage.kinds ?? [])], ['gap']);
    assert.equal(cut?.response?.grpcMessages, undefined);
    assert.equal(cut?.request?.grpcMessages, 1);
  });

  it('a form is on its exchange as parts without their content, observed or not', () => {
    const body = [
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n',
      `Content-Type: audio/wav\r\n\r\n${'RIFF'.repeat(100)}\r\n`,
      '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n',
    ].join('');
    const script = new Script()
      .request(1, '/v1/audio/transcriptions', body, [
        ['content-type', 'multipart/form-data; boundary=b'],
      ])
      .response(1, 200, '{}');
    const contentType = 'audio/wav';
    const parts = [
      { name: 'file', filename: 'a.wav', contentType, contentBytes: 400, complete: true },
      { name: 'model', contentBytes: 9, complete: true },
    ];
    for (const calls of [script.calls, splitEveryByte(script.calls)]) {
      assert.deepEqual(run(calls)[0]?.exchange.request?.parts, parts);
      const ended: unknown[] = [];
      const onExchange = ({ request }: Seen['exchange']) => ended.push(request?.parts);
      run(calls, { http: { handler: () => undefined, onExchange } });
      assert.deepEqual(ended, [parts]);
    }
    const head = [
      'POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n',
      `Content-Length: ${body.length}\r\n\r\n`,
    ].join('');
    const [one] = run(callsOf(`>${head}${body}`, '<HTTP/1.1 204 No Content\r\n\r\n'));
    assert.deepEqual(one?.exchange.request?.parts, parts);
  });

  it('extended CONNECT keeps its protocol, plain CONNECT its authority', () => {
    const script = new Script();
    const websocket = script.client.block([
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':authority', 'h'],
      [':path', '/chat'],
    ]);
    const plain = script.client.block([
      [':method', 'CONNECT'],
      [':authority', 'other:443'],
    ]);
    script.send(headers(1, websocket), headers(3, plain));
    const seen = script.run();
    assert.equal(seen[0]?.exchange.request?.headers.get(':protocol'), 'websocket');
    assert.equal(seen[1]?.exchange.request?.target, 'other:443');
  });

  it('h2c upgrade: stream 1 answers the HTTP/1.1 request', () => {
    const script = new Script(false);
    script.calls.push(
      ...callsOf(
        '>GET /up HTTP/1.1\r\nHost: h.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
        '<HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      ),
    );
    script
      .answer(settings())
      .send(PREFACE, settings())
      .response(1, 200, 'upgraded')
      .request(3, '/second')
      .response(3, 200, 'second');
    for (const role of ['client', 'server'] as const) {
      const seen = script.run({ role });
      assert.deepEqual(seen.map(view), [
        { request: 'GET /up', status: 101, body: '', damage: [] },
        { request: 'GET /up', status: 200, body: 'upgraded', damage: [] },
        { request: 'GET /second', status: 200, body: 'second', damage: [] },
      ]);
      assert.deepEqual(
        seen.map((one) => one.exchange.version),
        ['1.1', '2', '2'],
      );
      assert.deepEqual(
        seen.map((one) => one.exchange.ordinal),
        [0, 1, 2],
      );
    }
  });

  it('the server speaks first', () => {
    const script = new Script(false);
    script.answer(settings()).send(PREFACE, settings()).request(1, '/a').response(1, 200, 'ok');
    for (const role of ['client', 'server'] as const) {
      assert.deepEqual(script.run({ role }).map(view), [
        { request: 'GET /a', status: 200, body: 'ok', damage: [] },
      ]);
    }
  });
});

describe('http2 connection joined midway', () => {
  it('bodies are read, fields that are not known are left out, and what comes later is whole', () => {
    const script = new Script()
      .request(1, '/old', undefined, [['x-key', 'one']])
      .response(1, 200, 'old', [['x-server', 'one']]);
    const before = script.calls.length;
    script
      .request(3, '/mid', 'body', [
        ['x-key', 'one'],
        ['x-fresh', 'two'],
      ])
      .response(3, 200, 'mid', [['x-server', 'one']])
      .request(5, '/new', 'body', [['x-fresh', 'two']])
      .response(5, 200, 'new', [['x-other', 'three']]);
    const seen = run(script.calls.slice(before));
    assert.equal(seen.length, 2);
    assert.deepEqual([...(seen[0]?.exchange.damage.kinds ?? [])], ['joined-midway']);
    assert.equal(seen[0]?.exchange.request?.method, 'POST');
    assert.equal(seen[0]?.exchange.request?.headers.get('x-fresh'), 'two');
    assert.equal(seen[0]?.exchange.request?.headers.get('x-key'), undefined);
    assert.equal(seen[0]?.responseBody.toString(), 'mid');
    // :authority was sent before: it stays unknown, and marked.
    assert.equal(seen[1]?.exchange.request?.target, '/new');
    assert.equal(seen[1]?.exchange.request?.headers.get('x-fresh'), 'two');
    assert.equal(seen[1]?.exchange.response?.headers.get('x-other'), 'three');
    assert.deepEqual([...(seen[1]?.exchange.damage.kinds ?? [])], ['joined-midway']);
  });

  it('in the middle of a stream: its body is read without its request', () => {
    for (const role of ['client', 'server'] as const) {
      const script = new Script().request(1, '/old').request(3, '/older');
      script.answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'data: 1\n\n'));
      const before = script.calls.length;
      script
        .answer(frame('DATA', 0, 1, 'data: 2\n\n'))
        .response(3, 200, 'whole answer')
        .answer(frame('DATA', END_STREAM, 1, 'data: 3\n\n'))
        .request(5, '/new')
        .response(5, 200, 'new');
      const seen = run(script.calls.slice(before), { role });
      const views = seen.map(view).filter(({ request }) => request !== 'GET /new');
      const bodies = views.map(({ body }) => body);
      assert.ok(bodies.includes('whole answer'));
      assert.ok(views.every(({ request }) => request === undefined));
      assert.ok(views.every(({ damage }) => String(damage).includes('joined-midway')));
      if (role === 'client') {
        assert.deepEqual(bodies, ['data: 2\n\ndata: 3\n\n', 'whole answer']);
      }
      assert.equal(seen.at(-1)?.exchange.request?.target, '/new');
    }
  });

  it('what is no chain of frames is not taken for one', () => {
    const junk = [
      Buffer.alloc(1000),
      Buffer.from([0, 0, 5, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5]),
      Buffer.from([0, 0, 5, 0, 0, 0, 0, 0, 1, 1, 2, 3]),
      Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
      Buffer.from([0, 0, 0, 0, 1, 0x80, 0, 0, 1]),
      Buffer.from([0, 0, 0, 0, 0x40, 0, 0, 0, 1]),
    ];
    for (const bytes of junk) {
      const counters = createHttpCounters();
      assert.deepEqual(run([{ side: 'response', bytes }], { http: { counters } }), []);
      assert.equal(counters.http2Connections, 0);
    }
  });
});

describe('http2 connection that was none', () => {
  it('a body that looks like frames does not cost the next HTTP/1.1 exchange', () => {
    const looksLikeFrames = Buffer.concat([frame('DATA', 0, 1, 'abc'), frame('DATA', 0, 3, 'def')]);
    const seen = run([
      { side: 'response', bytes: looksLikeFrames },
      { side: 'response', bytes: Buffer.from('and more of that body') },
      ...callsOf(
        '>GET /real HTTP/1.1\r\nHost: h\r\n\r\n',
        '<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    ]);
    const last = seen.at(-1);
    assert.equal(last?.exchange.version, '1.1');
    assert.equal(view(last).request, 'GET /real');
    assert.equal(view(last).body, 'ok');
  });
});

describe('http2 connection: losses', () => {
  it('inside one DATA frame: counted off exactly, and no other stream is touched', () => {
    const script = new Script().request(1, '/a').request(3, '/b');
    script.answer(headers(1, script.head(200)), headers(3, script.head(200)));
    const data = frame('DATA', END_STREAM, 1, 'x'.repeat(100));
    script
      .answer(data.subarray(0, 30))
      .answer(data.subarray(30, 90))
      .lost()
      .answer(data.subarray(90), frame('DATA', END_STREAM, 3, 'whole'));
    const seen = script.run();
    assert.deepEqual(view(seen[0]).damage, ['gap']);
    assert.equal(seen[0]?.exchange.damage.lostBytes, 60);
    assert.equal(seen[0]?.exchange.response?.bodyBytes, 100);
    assert.equal(seen[0]?.responseBody.length, 40);
    assert.equal(seen[0]?.exchange.response?.complete, true);
    assert.equal(seen[0]?.holes, 1);
    assert.deepEqual(view(seen[1]), { request: 'GET /b', status: 200, body: 'whole', damage: [] });
  });

  it('up to the very end of a frame, padding included', () => {
    const script = new Script().request(1, '/a');
    script.answer(headers(1, script.head(200)));
    const data = frame('DATA', END_STREAM | PADDED, 1, padded('abcdef', 4));
    script.answer(data.subarray(0, 12)).answer(data.subarray(12)).lost();
    script.request(3, '/b').response(3, 200, 'ok');
    const seen = script.run();
    assert.equal(seen[0]?.exchange.damage.lostBytes, 4);
    assert.equal(seen[0]?.exchange.response?.complete, true);
    assert.deepEqual(view(seen[1]), { request: 'GET /b', status: 200, body: 'ok', damage: [] });
  });

  it('of whole frames: what was under way is marked, what begins later is whole', () => {
    const script = new Script().request(1, '/cut').request(3, '/waiting');
    script
      .answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'one '))
      .answer(frame('DATA', 0, 1, 'lost '))
      .lost()
      .answer(frame('DATA', END_STREAM, 1, 'three'))
      .response(3, 200, 'waited')
      .request(5, '/new')
      .response(5, 200, 'new');
    assert.deepEqual(script.run().map(view), [
      { request: 'GET /cut', status: 200, body: 'one three', damage: ['gap'] },
      { request: 'GET /waiting', status: 200, body: 'waited', damage: [] },
      { request: 'GET /new', status: 200, body: 'new', damage: [] },
    ]);
  });

  it('of a response head: the body is read, and the exchange says so', () => {
    const script = new Script().request(1, '/headless');
    script
      .answer(headers(1, script.head(200, [['x-a', 'b']])))
      .lost()
      .answer(frame('DATA', END_STREAM, 1, 'body'))
      .request(3, '/next')
      .response(3, 200, 'next', [['x-a', 'b']]);
    const seen = script.run();
    assert.deepEqual(view(seen[0]), {
      request: 'GET /headless',
      status: 0,
      body: 'body',
      damage: ['gap'],
    });
    // It refers to a field of the head that was lost.
    assert.deepEqual(view(seen[1]).damage, ['gap']);
    assert.equal(view(seen[1]).body, 'next');
  });

  it('inside a header block: its stream loses its fields, the frames go on', () => {
    const script = new Script().request(1, '/a').request(3, '/b');
    const block = headers(1, script.head(200, [['x-long', 'y'.repeat(40)]]));
    script
      .answer(block.subarray(0, 15))
      .answer(block.subarray(15, 25))
      .lost()
      .answer(block.subarray(25), frame('DATA', END_STREAM, 1, 'headless'))
      .answer(headers(3, script.head(200)), frame('DATA', END_STREAM, 3, 'whole'));
    const seen = script.run();
    assert.deepEqual(view(seen[0]), {
      request: 'GET /a',
      status: 0,
      body: 'headless',
      damage: ['gap'],
    });
    assert.equal(seen[0]?.exchange.damage.lostBytes, 10);
    assert.deepEqual(view(seen[1]), { request: 'GET /b', status: 200, body: 'whole', damage: [] });
  });

  it('of a request head: the response is read without it', () => {
    const script = new Script().request(1, '/lost').lost().response(1, 200, 'answer');
    script.request(3, '/next').response(3, 200, 'next');
    const seen = script.run();
    assert.deepEqual(view(seen[0]), {
      request: undefined,
      status: 200,
      body: 'answer',
      damage: ['gap'],
    });
    assert.equal(view(seen[1]).request, 'GET /next');
    assert.equal(view(seen[1]).body, 'next');
  });

  it('is over when the connection is, and damaged streams do not wait for ever', () => {
    const script = new Script().request(1, '/never');
    script
      .answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'x'))
      .answer(frame('DATA', END_STREAM, 1, 'the end'))
      .lost();
    assert.deepEqual(script.run().map(view), [
      { request: 'GET /never', status: 200, body: 'x', damage: ['gap'] },
    ]);
  });
});

describe('http2 connection: hostile or broken', () => {
  it('frames that contradict the protocol are a framing error, never a throw', () => {
    const bad = [
      frame('DATA', 0, 0, 'x'),
      frame('HEADERS', END_HEADERS, 0, '\x82'),
      frame('PING', 0, 0, 'short'),
      frame('SETTINGS', 0, 0, 'five5'),
      frame('WINDOW_UPDATE', 0, 0, 'five5'),
      frame('CONTINUATION', END_HEADERS, 1, '\x82'),
      frame('GOAWAY', 0, 0, 'four'),
      Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]),
    ];
    for (const bytes of bad) {
      const counters = createHttpCounters();
      const script = new Script().send(bytes).request(1, '/after').response(1, 200, 'ok');
      const seen = script.run({ http: { counters } });
      assert.equal(counters.framingErrors, 1, bytes.toString('hex'));
      assert.equal(view(seen[0]).request, 'GET /after');
      assert.equal(view(seen[0]).body, 'ok');
    }
  });

  it('padding longer than its frame, a priority that does not fit', () => {
    for (const bytes of [
      frame('DATA', PADDED, 1, Buffer.from([9, 1, 2])),
      frame('HEADERS', END_HEADERS | PRIORITY | END_STREAM, 1, 'abc'),
    ]) {
      const script = new Script();
      script.send(headers(1, script.client.block(requestFields('/a')))).send(bytes);
      script.response(1, 200, 'ok').request(3, '/b').response(3, 200, 'ok');
      const seen = script.run();
      assert.deepEqual(
        view(seen[0]).damage,
        ['decode-error', 'truncated'].slice(0, 1 + Number(bytes[3] === 0)),
      );
      assert.equal(view(seen[1]).body, 'ok');
    }
  });

  it('CONTINUATION flood: bounded, marked, and the connection goes on', () => {
    const counters = createHttpCounters();
    const script = new Script();
    script.send(frame('HEADERS', END_STREAM, 1, script.client.block(requestFields('/flood'))));
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 20_000; count += 1) {
      script.send(frame('CONTINUATION', 0, 1, '\0\x01a\x01b'));
    }
    script
      .send(frame('CONTINUATION', END_HEADERS, 1))
      .response(1, 431, 'no')
      .request(3, '/next')
      .response(3, 200, 'ok');
    const seen = script.run({ http: { counters } });
    assert.equal(counters.http2.blockLimits, 1);
    assert.deepEqual(view(seen[0]), {
      request: undefined,
      status: 431,
      body: 'no',
      damage: ['limit'],
    });
    assert.equal(view(seen[1]).body, 'ok');
    assert.ok(process.memoryUsage().arrayBuffers - before < 50_000_000);
  });

  it('a flood of CONTINUATION bytes', () => {
    const counters = createHttpCounters();
    const script = new Script();
    script.send(frame('HEADERS', END_STREAM, 1, script.client.block(requestFields('/flood'))));
    for (let count = 0; count < 100; count += 1) {
      script.send(frame('CONTINUATION', count === 99 ? END_HEADERS : 0, 1, Buffer.alloc(16_384)));
    }
    script.response(1, 431, 'no');
    const [one] = script.run({ http: { counters } });
    assert.equal(counters.http2.blockLimits, 1);
    assert.deepEqual(view(one).damage, ['limit']);
  });

  it('HPACK bomb: a small block that stands for a large list keeps what the limits allow', () => {
    const counters = createHttpCounters();
    const script = new Script();
    const block = Buffer.concat([
      script.client.block(requestFields('/bomb')),
      script.client.field(['x-bomb', 'b'.repeat(3900)], 'added'),
      Buffer.alloc(16_000, 0xbe),
    ]);
    script.send(headers(1, block, END_STREAM, 16_384)).response(1, 200, 'ok');
    const [one] = script.run({ http: { counters } });
    const kept = one?.exchange.request?.headers.fields ?? [];
    assert.ok(kept.reduce((sum, [name, value]) => sum + name.length + value.length, 0) <= 65_600);
    assert.deepEqual(view(one).damage, ['limit']);
    assert.equal(counters.headLimits, 1);
    assert.equal(view(one).request, 'POST /bomb');
  });

  it('more header fields than the limit: those that tell how to read the body stay', () => {
    const script = new Script();
    const many: Field[] = Array.from({ length: 1000 }, (_, index) => [`x-${index}`, 'v']);
    const block = script.client.block(
      requestFields('/many', [...many, ['content-type', 'a/b']]),
      'plain',
    );
    script.send(headers(1, block, END_STREAM)).response(1, 200, 'ok');
    const [one] = script.run();
    assert.deepEqual(view(one).damage, ['limit']);
    assert.equal(one?.exchange.request?.headers.get('content-type'), 'a/b');
  });

  it('more open streams than the limit end the oldest', () => {
    const counters = createHttpCounters();
    const script = new Script();
    for (let id = 1; id < 41; id += 2) {
      script.request(id, `/${id}`);
    }
    script.response(39, 200, 'last');
    const seen = script.run({ http: { counters, limits: { maxOpenStreams: 10 } } });
    assert.equal(counters.http2.streamLimits, 10);
    assert.equal(seen.filter((one) => one.exchange.damage.kinds.has('limit')).length, 10);
    assert.deepEqual(view(seen.at(-1)).damage, []);
  });

  it('a frame longer than the limit is passed over exactly', () => {
    const counters = createHttpCounters();
    const script = new Script().request(1, '/a');
    script
      .answer(headers(1, script.head(200)), frame('DATA', 0, 1, 'y'.repeat(5000)))
      .answer(frame('DATA', END_STREAM, 1, 'end'));
    const [one] = script.run({ http: { counters, limits: { maxFrameBytes: 1000 } } });
    assert.equal(counters.http2.frameLimits, 1);
    assert.deepEqual(view(one), { request: 'GET /a', status: 200, body: 'end', damage: ['limit'] });
    assert.equal(one?.exchange.response?.bodyBytes, 5003);
  });

  it('a broken block costs its exchange fields, and later ones what they refer to', () => {
    const script = new Script();
    const block = Buffer.concat([
      script.client.block(requestFields('/broken')),
      Buffer.from([0xff]),
    ]);
    script.send(headers(1, block, END_STREAM)).response(1, 200, 'ok');
    script.request(3, '/next', undefined, [['x-new', 'n']]).response(3, 200, 'ok');
    const seen = script.run();
    assert.deepEqual(view(seen[0]).damage, ['decode-error']);
    assert.equal(seen[1]?.exchange.request?.headers.get('x-new'), 'n');
  });

  it('random bytes after the preface never throw', () => {
    let state = 12_345;
    const next = (): number => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      return state >>> 8;
    };
    for (let round = 0; round < 300; round += 1) {
      const script = new Script();
      for (let call = 0; call < 5; call += 1) {
        const junk = Buffer.from(Array.from({ length: next() % 200 }, () => next() & 0xff));
        const isFramed = next() % 3 > 0;
        const bytes = isFramed ? frame(next() % 12, next() & 0xff, next() % 6, junk) : junk;
        (next() % 2 === 0 ? script.send : script.answer).call(script, bytes);
      }
      const events = captureEvents(script.calls);
      observe(events, { onSecret: () => {}, onRelease: () => {} });
    }
  });
});
