/** The shapes the server can send, byte for byte, over a plain socket. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync, inflateRawSync } from 'node:zlib';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import { modelRequest, rawExchange } from './raw-exchange.ts';

type Chunk = Record<string, unknown> & { choices: Record<string, unknown>[] };

interface Raw {
  head: string;
  body: Buffer;
}

/** Removes chunk framing; asserts that it is whole. */
function dechunk(framed: Buffer): { body: Buffer; sizes: number[]; trailers: string } {
  const parts: Buffer[] = [];
  const sizes: number[] = [];
  let at = 0;
  for (;;) {
    const end = framed.indexOf('\r\n', at);
    assert.ok(end >= 0, 'a chunk size line');
    const size = Number.parseInt(framed.toString('latin1', at, end), 16);
    at = end + 2;
    if (size === 0) {
      return { body: Buffer.concat(parts), sizes, trailers: framed.toString('latin1', at) };
    }
    parts.push(framed.subarray(at, at + size));
    sizes.push(size);
    at += size;
    assert.equal(framed.toString('latin1', at, at + 2), '\r\n');
    at += 2;
  }
}

describe('the shapes of the model server', () => {
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({ tls: false });
  });
  after(() => server.stop());
  beforeEach(() => server.reset());

  async function ask(
    scenario: Scenario,
    options: Omit<Parameters<typeof modelRequest>[0], 'scenario'> = {},
  ): Promise<Raw> {
    const { bytes } = await rawExchange(
      server.port,
      modelRequest({ ...options, scenario: { close: true, ...scenario } }),
    );
    const end = bytes.indexOf('\r\n\r\n');
    const head = bytes.toString('latin1', 0, end);
    const framed = bytes.subarray(end + 4);
    const body = /transfer-encoding: chunked/.test(head) ? dechunk(framed).body : framed;
    return { head, body };
  }

  async function chunks(scenario: Scenario, extra = {}): Promise<Chunk[]> {
    const { body } = await ask(scenario, { stream: true, extra });
    return body
      .toString('utf8')
      .split('\n\n')
      .filter((event) => event.startsWith('data: {'))
      .map((event) => JSON.parse(event.slice(6)) as Chunk);
  }

  const last = async () => (await server.settle(1))[0]!;

  describe('usage in OpenAI streams', () => {
    const tokens = { input: 50, output: 20, cacheRead: 8, reasoning: 3 };
    const usage = {
      inputTokens: 50,
      outputTokens: 20,
      cacheReadInputTokens: 8,
      reasoningOutputTokens: 3,
    };

    it('comes in a last chunk without choices when asked for', async () => {
      const all = await chunks({ tokens }, { stream_options: { include_usage: true } });
      assert.deepEqual(all.at(-1)?.choices, []);
      assert.equal((all.at(-1)!.usage as { prompt_tokens: number }).prompt_tokens, 50);
      assert.ok(all.slice(0, -1).every((chunk) => chunk.usage === null));
      assert.deepEqual((await last()).answer?.usage, usage);
    });

    it('does not come when not asked for', async () => {
      const all = await chunks({ tokens });
      assert.ok(all.every((chunk) => !('usage' in chunk)));
      assert.deepEqual((await last()).answer?.usage, {});
    });

    it('comes with the last choices, or before them', async () => {
      const withLast = await chunks({ tokens, usageAt: 'last-choice' });
      assert.equal(withLast.at(-1)?.choices.length, 1);
      assert.ok(withLast.at(-1)?.usage);
      const before = await chunks({ tokens, usageAt: 'before-last' });
      assert.ok(before.at(-2)?.usage);
      assert.equal(before.at(-1)?.usage, null);
      for (const exchange of await server.settle(2)) {
        assert.deepEqual(exchange.answer?.usage, usage);
      }
    });

    it('grows in every chunk', async () => {
      const all = await chunks({ tokens, usageAt: 'every' });
      const outputs = all.map(
        (chunk) => (chunk.usage as { completion_tokens: number }).completion_tokens,
      );
      assert.deepEqual(
        outputs,
        outputs.slice().sort((a, b) => a - b),
      );
      assert.equal(outputs.at(-1), 20);
      assert.ok(outputs[0]! < 20);
      assert.deepEqual((await last()).answer?.usage, usage);
    });

    it('comes under a vendor key', async () => {
      const all = await chunks({ tokens, usageAt: 'vendor' });
      assert.equal(all.at(-1)?.usage, undefined);
      assert.ok((all.at(-1)!.x_groq as { usage: unknown }).usage);
      assert.deepEqual((await last()).answer?.usage, usage);
    });
  });

  describe('usage in Anthropic streams', () => {
    async function usages(scenario: Scenario) {
      const { body } = await ask(scenario, { api: 'anthropic', stream: true });
      const events = body
        .toString('utf8')
        .split('\n')
        .filter((line) => line.startsWith('data: '))
        .map((line) => JSON.parse(line.slice(6)));
      return {
        start: events.find((event) => event.type === 'message_start').message.usage,
        delta: events.find((event) => event.type === 'message_delta').usage,
      };
    }
    const tokens = { input: 50, output: 20, cacheRead: 8, cacheCreation: 4 };

    it('is split over start and delta, and the input is the sum with the cached tokens', async () => {
      const { start, delta } = await usages({ tokens });
      assert.deepEqual(start, {
        input_tokens: 50,
        cache_creation_input_tokens: 4,
        cache_read_input_tokens: 8,
        output_tokens: 1,
      });
      assert.deepEqual(delta, { output_tokens: 20 });
      assert.deepEqual((await last()).answer?.usage, {
        inputTokens: 62,
        outputTokens: 20,
        cacheReadInputTokens: 8,
        cacheCreationInputTokens: 4,
      });
    });

    it('is repeated and corrected by the delta', async () => {
      const { start, delta } = await usages({ tokens, usageAt: 'corrected', extendedUsage: true });
      assert.equal(start.input_tokens, 57);
      assert.equal(delta.input_tokens, 50);
      assert.deepEqual(delta.cache_creation, {
        ephemeral_5m_input_tokens: 2,
        ephemeral_1h_input_tokens: 2,
      });
      assert.equal((await last()).answer?.usage.inputTokens, 62);
    });

    it('has thinking tokens, and may leave fields out', async () => {
      await usages({ tokens: { ...tokens, reasoning: 9, cacheRead: null } });
      assert.deepEqual((await last()).answer?.usage, {
        inputTokens: 54,
        outputTokens: 20,
        cacheCreationInputTokens: 4,
        reasoningOutputTokens: 9,
      });
    });
  });

  it('sends several choices in turns, each with its finish reason', async () => {
    const all = await chunks({}, { n: 3 });
    const order = all.map((chunk) => chunk.choices[0]?.index);
    assert.deepEqual(order.slice(0, 6), [0, 1, 2, 0, 1, 2]);
    const { answer } = await last();
    assert.deepEqual(
      answer?.choices.map((choice) => choice.finishReason),
      ['stop', 'stop', 'stop'],
    );
    assert.equal(new Set(answer?.choices.map((choice) => choice.text)).size, 3);
  });

  it('begins with an empty id, or changes it, when told', async () => {
    const late = await chunks({ idShape: 'late' });
    assert.equal(late[0]?.id, '');
    assert.equal((await last()).answer?.id, late[1]?.id);
    server.reset();
    const changing = await chunks({ idShape: 'changing' });
    assert.equal(new Set(changing.map((chunk) => chunk.id)).size, changing.length);
    assert.equal((await last()).answer?.id, changing[0]?.id);
  });

  it('sends tool calls in every shape', async () => {
    const toolCalls = [
      { name: 'first_tool', arguments: { a: 'x'.repeat(40) } },
      { name: 'second_tool', arguments: '' },
    ];
    const deltas = (all: Chunk[]) =>
      all.flatMap(
        (chunk) =>
          (chunk.choices[0]?.delta as { tool_calls?: Record<string, unknown>[] })?.tool_calls ?? [],
      );
    const shapes: [Scenario, (calls: Record<string, unknown>[]) => void][] = [
      [{ toolCalls, deltas: 5 }, (calls) => assert.ok(calls.length >= 6)],
      [
        { toolCalls, toolShape: ['no-index'] },
        (calls) => assert.ok(calls.length === 2 && calls.every((call) => !('index' in call))),
      ],
      [
        { toolCalls, toolShape: ['no-id'] },
        (calls) => assert.ok(calls.every((call) => !('id' in call))),
      ],
      [
        { toolCalls, toolShape: ['split-name'] },
        (calls) => {
          const names = calls.map((call) => (call.function as { name?: string }).name ?? '');
          assert.equal(names.join(''), 'first_toolsecond_tool');
          assert.equal(names.filter(Boolean).length, 4);
        },
      ],
      [
        { toolCalls, toolShape: ['object-arguments'] },
        (calls) =>
          assert.equal(typeof (calls[0]!.function as { arguments: unknown }).arguments, 'object'),
      ],
      [{ toolCalls, toolDeltas: 'joined' }, (calls) => assert.equal(calls.length, 2)],
      [
        { toolCalls, toolDeltas: 'interleaved' },
        (calls) =>
          assert.deepEqual(
            calls.slice(0, 3).map((call) => call.index),
            [0, 1, 0],
          ),
      ],
    ];
    for (const [scenario, check] of shapes) {
      server.reset();
      check(deltas(await chunks(scenario)));
      const seen = (await last()).answer?.choices[0]?.toolCalls ?? [];
      assert.deepEqual(
        seen.map((call) => call.name),
        ['first_tool', 'second_tool'],
      );
      assert.deepEqual(JSON.parse(seen[0]!.argumentsText), toolCalls[0]!.arguments);
      assert.equal('id' in seen[0]!, !scenario.toolShape?.includes('no-id'));
    }
  });

  it('sends finish reasons that are unusual', async () => {
    await chunks({ finishReason: null });
    assert.equal((await last()).answer?.choices[0]?.finishReason, undefined);
    server.reset();
    await chunks({ toolCalls: [{ name: 't', arguments: {} }], finishReason: 'stop' });
    assert.equal((await last()).answer?.choices[0]?.finishReason, 'stop');
  });

  describe('framing of events', () => {
    const scenario: Scenario = { text: 'größe', deltas: 1 };
    const bodyOf = async (more: Scenario) =>
      (await ask({ ...scenario, ...more }, { stream: true })).body.toString('utf8');

    it('has CRLF, CR, comments, no space, several data lines, a byte order mark', async () => {
      assert.match(await bodyOf({ newline: 'crlf' }), /^data: \{.*\}\r\n\r\ndata: /);
      const cr = await bodyOf({ newline: 'cr' });
      assert.match(cr, /^data: \{.*\}\r\rdata: /);
      assert.ok(!cr.includes('\n'));
      assert.match(await bodyOf({ comments: 2 }), /^: still processing\n\n: still processing\n\nd/);
      assert.match(await bodyOf({ dataSpace: false }), /^data:\{/);
      assert.match(await bodyOf({ multilineData: true }), /^data: \{\ndata: {2}"id"/);
      assert.match(await bodyOf({ byteOrderMark: true }), /^\ufeffdata: /);
    });

    it('leaves out the final blank line and [DONE]', async () => {
      assert.ok((await bodyOf({ finalBlankLine: false })).endsWith('data: [DONE]\n'));
      assert.ok((await bodyOf({ done: false })).endsWith('}\n\n'));
      assert.ok((await bodyOf({ done: false, finalBlankLine: false })).endsWith('}\n'));
      for (const exchange of await server.settle(3)) {
        assert.equal(exchange.answer?.complete, true);
      }
    });

    it('writes JSON in ASCII, and lines of more than 100 kB', async () => {
      const ascii = await bodyOf({ asciiJson: true });
      assert.match(ascii, /gr\\u00f6\\u00df/);
      assert.ok(Buffer.byteLength(ascii) === ascii.length);
      const long = (await ask({ textBytes: 150_000, deltas: 1 }, { stream: true })).body;
      assert.ok(
        long
          .toString('utf8')
          .split('\n')
          .some((line) => line.length > 100_000),
      );
    });
  });

  it('encodes content so that each event can be decoded when it comes', async () => {
    const decoders = { gzip: gunzipSync, br: brotliDecompressSync, 'deflate-raw': inflateRawSync };
    for (const [encoding, decode] of Object.entries(decoders)) {
      server.reset();
      const { head, body } = await ask(
        { encoding: encoding as 'gzip', textBytes: 3000 },
        { stream: true },
      );
      assert.match(head, new RegExp(`content-encoding: ${encoding.replace('-raw', '')}`));
      const { response, answer } = await last();
      const decoded = decode(body);
      assert.equal(response.bodyBytes, body.length);
      assert.equal(response.bodySha256, createHash('sha256').update(body).digest('hex'));
      assert.equal(response.decodedSha256, createHash('sha256').update(decoded).digest('hex'));
      assert.equal(answer?.complete, true);
    }
    const { head } = await ask(
      { encoding: 'negotiate' },
      { headers: ['accept-encoding: gzip, br;q=0'] },
    );
    assert.match(head, /content-encoding: gzip/);
  });

  it('cuts chunks and writes anywhere, each write a TLS record', async () => {
    const overTls = await startModelServer();
    try {
      const { bytes, pieces } = await rawExchange(
        overTls.port,
        modelRequest({
          stream: true,
          scenario: { chunkBytes: 13, writeBytes: 5, textBytes: 300, deltas: 3, close: true },
        }),
        undefined,
        readFileSync(overTls.caPath),
      );
      const { sizes } = dechunk(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4));
      assert.ok(sizes.slice(0, -1).every((size) => size === 13));
      assert.ok(pieces.slice(0, -1).every((size) => size === 5));
      const { response } = (await overTls.settle(1))[0]!;
      assert.equal(response.wireBytes, bytes.length);
      assert.equal(response.complete, true);
    } finally {
      await overTls.stop();
    }
  });

  it('ends bodies by length, by closing, and with trailers', async () => {
    const length = await ask({ transfer: 'length' }, { stream: true });
    assert.match(length.head, new RegExp(`content-length: ${length.body.length}\r\n`));
    const close = await ask({ transfer: 'close' }, { stream: true });
    assert.doesNotMatch(close.head, /content-length|transfer-encoding/);
    assert.ok(close.body.toString('utf8').endsWith('data: [DONE]\n\n'));
    const { bytes } = await rawExchange(
      server.port,
      modelRequest({ stream: true, scenario: { trailers: [['x-sum', '1']], close: true } }),
    );
    assert.ok(bytes.toString('latin1').endsWith('0\r\nx-sum: 1\r\n\r\n'));
  });

  describe('failures', () => {
    it('answers errors in the shape of each API', async () => {
      const openai = await ask({ status: 401 });
      assert.match(openai.head, /^HTTP\/1.1 401 Unauthorized/);
      assert.equal(JSON.parse(openai.body.toString()).error.code, 'invalid_api_key');
      const anthropic = await ask({ status: 529 }, { api: 'anthropic' });
      assert.match(anthropic.head, /^HTTP\/1.1 529 Overloaded/);
      assert.equal(JSON.parse(anthropic.body.toString()).error.type, 'overloaded_error');
      const [first, second] = await server.settle(2);
      assert.equal(first?.answer?.error?.type, 'invalid_request_error');
      assert.equal(second?.answer?.error?.type, 'overloaded_error');
    });

    it('sends an error event in the middle of a stream', async () => {
      const { body } = await ask(
        { fail: { afterEvents: 4, how: 'error-event' } },
        { api: 'anthropic', stream: true },
      );
      assert.match(body.toString('utf8'), /event: error\ndata: \{"type":"error"[^\n]*\n\n$/);
      assert.equal((await last()).answer?.complete, false);
    });

    it('breaks off in the middle of an event, and its truth ends there', async () => {
      const scenario = (how: 'fin' | 'reset'): Scenario => ({
        text: 'abcdefghijkl',
        deltas: 6,
        fail: { afterEvents: 3, how, midEvent: true },
      });
      // Over TLS each event is a record: on a plain socket data and reset can arrive as one event, which Node calls an end.
      const overTls = await startModelServer();
      try {
        for (const how of ['fin', 'reset'] as const) {
          overTls.reset();
          const answered = await rawExchange(
            overTls.port,
            modelRequest({ stream: true, scenario: scenario(how) }),
            undefined,
            readFileSync(overTls.caPath),
          );
          assert.equal(answered.wasReset, how === 'reset');
          const { answer, response } = (await overTls.settle(1))[0]!;
          assert.equal(response.events, 3);
          assert.equal(response.complete, false);
          assert.equal(answer?.complete, false);
          assert.ok('abcdefghijkl'.startsWith(answer?.choices[0]?.text ?? '?'));
          assert.notEqual(answer?.choices[0]?.text, 'abcdefghijkl');
          assert.deepEqual(answer?.usage, {});
        }
      } finally {
        await overTls.stop();
      }
    });

    it('hangs until the client leaves', async () => {
      const scenario: Scenario = { fail: { afterEvents: 2, how: 'hang' } };
      await rawExchange(server.port, modelRequest({ stream: true, scenario }), (text) =>
        text.includes('data: '),
      );
      const truth = await last();
      assert.equal(truth.clientEnd, 'closed-early');
      assert.equal(truth.response.events, 2);
    });

    it('knows that a client left in the middle', async () => {
      await rawExchange(
        server.port,
        modelRequest({ stream: true, scenario: { intervalMs: 30 } }),
        (text) => text.includes('data: '),
      );
      const truth = await last();
      assert.equal(truth.clientEnd, 'closed-early');
      assert.ok(!truth.response.complete || truth.response.events > 0);
    });
  });

  describe('HTTP', () => {
    it('sends interim answers and 100 Continue', async () => {
      const { bytes } = await rawExchange(
        server.port,
        modelRequest({
          scenario: { interim: [103, 102], close: true, text: 'hi' },
          headers: ['expect: 100-continue'],
        }),
      );
      const statuses = [...bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d+)/g)].map(
        (match) => match[1],
      );
      assert.deepEqual(statuses, ['100', '103', '102', '200']);
      assert.deepEqual((await last()).response.interim, [103, 102]);
    });

    it('answers pipelined requests in order, HEAD without a body', async () => {
      const { bytes } = await rawExchange(
        server.port,
        'HEAD / HTTP/1.1\r\nhost: h\r\n\r\n' +
          'POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\n' +
          'GET /status/204 HTTP/1.1\r\nhost: h\r\n\r\n' +
          'GET /status/304 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n',
      );
      const text = bytes.toString('latin1');
      assert.deepEqual(
        [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]),
        ['200', '200', '204', '304'],
      );
      assert.equal(text.split('abcde').length, 2);
      assert.match(text, /304 Not Modified\r\n[\s\S]*content-length: 14\r\n[\s\S]*\r\n\r\n$/);
      const truth = await server.settle(4);
      assert.deepEqual(
        truth.map((exchange) => [exchange.ordinal, exchange.connection]),
        truth.map((_, index) => [index, truth[0]!.connection]),
      );
      assert.equal(truth[1]?.request.bodyBytes, 5);
      assert.equal(truth[0]?.clientEnd, 'next-request');
    });

    it('takes scenarios from a script when a request names none', async () => {
      server.script([{ text: 'first', label: 'one' }, { text: 'second' }]);
      const closing = { headers: ['connection: close'] };
      for (const expected of ['first', 'second']) {
        const { bytes } = await rawExchange(server.port, modelRequest(closing));
        assert.ok(bytes.toString('utf8').includes(`"${expected}"`));
      }
      assert.equal((await server.settle(2))[0]?.label, 'one');
    });

    it('refuses scenarios that say nothing it knows', async () => {
      const closing = { headers: ['connection: close'] };
      const unknown = await ask({ textByte: 3 } as Scenario, closing);
      assert.match(unknown.head, /400/);
      assert.match(unknown.body.toString(), /no key \\"textByte\\"/);
      const wrong = await ask({ encoding: 'zip' } as unknown as Scenario, closing);
      assert.match(wrong.body.toString(), /\\"encoding\\" cannot be/);
      assert.throws(() => server.script([{ deltas: 0 }]), /"deltas" cannot be 0/);
    });

    it('gives the same bytes for the same seed', async () => {
      const scenario: Scenario = { seed: 5, responseId: 'x', chunkBytes: 9, textBytes: 500 };
      const first = await ask(scenario, { stream: true });
      const second = await ask(scenario, { stream: true });
      const text = (raw: Raw) => raw.body.toString('utf8').replace(/"created":\d+/g, '');
      assert.equal(text(first), text(second));
      const other = await ask({ ...scenario, seed: 6 }, { stream: true });
      assert.notEqual(text(first), text(other));
    });
  });

  it('drips events at their interval', async () => {
    await ask({ intervalMs: 10, delayMs: 30, deltas: 10, text: 'abcdefghijkl' }, { stream: true });
    const { request, response } = await last();
    const delay = Number(BigInt(response.firstByteNs) - BigInt(request.lastByteNs)) / 1e6;
    const took = Number(BigInt(response.lastByteNs) - BigInt(response.firstByteNs)) / 1e6;
    assert.ok(delay >= 29, `${delay} ms before the first byte`);
    assert.ok(took >= (response.events - 1) * 10 - 2, `${took} ms for ${response.events} events`);
  });
});
