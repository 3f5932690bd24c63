/** Responses in the background: asked for by one exchange, fetched by others, and counted once. */
import assert from 'node:assert/strict';
import { runExchanges, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

const USAGE = {
  input_tokens: 7,
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 3 },
  total_tokens: 12,
};
const TEXT = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] };
const CALL = { type: 'function_call', call_id: 'c1', name: 'sh', arguments: '{"a":1}' };

function responseOf(status: string, more: object = {}): object {
  return {
    id: 'resp_1',
    object: 'response',
    model: 'o3-2025',
    status,
    output: [],
    usage: null,
    ...more,
  };
}

const DONE = responseOf('completed', { output: [TEXT, CALL], usage: USAGE });

function exchange(
  method: string,
  target: string,
  answer: object | string,
  more: object = {},
): WireExchange {
  return {
    method,
    target,
    host: 'api.openai.com',
    request: method === 'GET' ? '' : { model: 'o3', input: 'Think', background: true },
    status: 200,
    response: typeof answer === 'string' ? answer : JSON.stringify(answer),
    ...more,
  };
}

const ask = (answer: object | string = responseOf('queued'), more: object = {}) =>
  exchange('POST', '/v1/responses', answer, more);
const fetch = (answer: object | string = DONE, more: object = {}) =>
  exchange('GET', '/v1/responses/resp_1', answer, more);

function events(list: readonly object[]): string {
  return list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
}

function summary(wires: readonly WireExchange[], settings = {}) {
  return runExchanges(wires, settings).map(({ call, order }) =>
    order.length === 0
      ? undefined
      : {
          operation: call!.operation,
          usage: call!.response?.usage ?? {},
          complete: call!.complete,
        },
  );
}

const ASKED = { operation: 'chat', usage: {}, complete: true };
const POLLED = { operation: 'fetch_response', usage: {}, complete: true };
const FETCHED = {
  operation: 'fetch_response',
  usage: { inputTokens: 7, outputTokens: 5, reasoningOutputTokens: 3 },
  complete: true,
};

describe('a response in the background', () => {
  it('is counted by the fetch that brings its end, and by no other', () => {
    const wires = [ask(), fetch(responseOf('in_progress')), fetch(), fetch(), fetch()];
    assert.deepEqual(summary(wires), [ASKED, POLLED, FETCHED, undefined, undefined]);
  });

  it('has its answer where it was fetched', () => {
    const [asked, fetched] = runExchanges([ask(), fetch()]);
    assert.deepEqual(asked!.call!.response?.finishReasons, []);
    const { response, provider, request } = fetched!.call!;
    assert.equal(provider, 'openai');
    assert.equal(request.stream, undefined);
    assert.equal(response?.id, 'resp_1');
    assert.equal(response?.model, 'o3-2025');
    assert.deepEqual(response?.finishReasons, ['completed']);
    assert.deepEqual(
      fetched!.toolCalls.map(({ id, name }) => [id, name]),
      [['c1', 'sh']],
    );
    assert.equal(response?.messages[0]?.parts.length, 2);
  });

  it('is fetched as a stream, too', () => {
    const stream = events([
      { type: 'response.created', response: responseOf('in_progress') },
      { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: 'Hi' },
      { type: 'response.completed', response: DONE },
    ]);
    const more = {
      target: '/v1/responses/resp_1?stream=true&starting_after=4',
      contentType: 'text/event-stream',
    };
    const [, fetched, again] = runExchanges([ask(), fetch(stream, more), fetch()]);
    assert.equal(fetched!.call!.request.stream, true);
    assert.deepEqual(fetched!.call!.response?.usage, FETCHED.usage);
    assert.deepEqual(again!.order, []);
  });

  it('is fetched after its own stream broke off', () => {
    const stream = events([{ type: 'response.created', response: responseOf('in_progress') }]);
    const broken = { contentType: 'text/event-stream', isResponseComplete: false };
    assert.deepEqual(summary([ask(stream, broken), fetch()]), [
      { ...ASKED, complete: false },
      FETCHED,
    ]);
  });

  it('that came to its end at once is not counted again', () => {
    const counted = { operation: 'chat', usage: FETCHED.usage, complete: true };
    assert.deepEqual(summary([ask(DONE), fetch()]), [counted, undefined]);
  });

  it('is over when it failed or was cancelled', () => {
    const failed = responseOf('failed', {
      error: { code: 'server_error', message: 'Oh' },
      usage: USAGE,
    });
    assert.deepEqual(summary([ask(), fetch(failed), fetch(failed)]).slice(1), [FETCHED, undefined]);
    const cancelled = responseOf('cancelled');
    assert.deepEqual(summary([ask(), fetch(cancelled), fetch()]).slice(1), [POLLED, undefined]);
  });

  it('is not over when a fetch of it was refused', () => {
    const refused = fetch(
      { error: { message: 'Slow down', code: 'rate_limit_exceeded' } },
      { status: 429 },
    );
    assert.deepEqual(summary([ask(), refused, fetch()]).slice(2), [FETCHED]);
  });

  it('is the one of its server', () => {
    assert.deepEqual(summary([ask(), fetch(DONE, { host: 'other.test' })]), [ASKED, undefined]);
  });

  it('is counted on each side of it, where both are observed', () => {
    const served = { role: 'server' } as const;
    const wires = [
      ask(),
      ask(undefined, served),
      fetch(DONE, served),
      fetch(),
      fetch(DONE, served),
    ];
    const all = summary(wires, { followsServers: true });
    assert.deepEqual(all, [ASKED, ASKED, FETCHED, FETCHED, undefined]);
  });

  it('is forgotten when there are too many, which is counted', () => {
    const limits = { limits: { maxBackgroundResponses: 1 } };
    const second = { ...responseOf('queued'), id: 'resp_2' };
    const all = runExchanges([ask(), ask(second), fetch()], limits);
    assert.deepEqual(all[1]!.failures, ['limit maxBackgroundResponses']);
    assert.deepEqual(all[2]!.order, []);
  });
});

describe('what is no model call beside the responses', () => {
  const others: [what: string, wire: WireExchange][] = [
    ['a stored response', fetch()],
    ['its input', exchange('GET', '/v1/responses/resp_1/input_items', { data: [] })],
    ['a deletion', exchange('DELETE', '/v1/responses/resp_1', { deleted: true })],
    ['a cancellation', exchange('POST', '/v1/responses/resp_1/cancel', responseOf('cancelled'))],
    ['a count of tokens', exchange('POST', '/v1/responses/input_tokens', { input_tokens: 9 })],
  ];
  for (const [what, wire] of others) {
    it(what, () => {
      assert.deepEqual(summary([wire]), [undefined]);
    });
  }
});
