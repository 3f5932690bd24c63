/** Answers of Cohere's generate: whole, in lines, refused, failed and cut off; and of what it has without content. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const ID = 'c14c80c3-18eb-4519-9460-6c92edd8cfb4';
const COUNTED = { inputTokens: 17, outputTokens: 12 };
const META = { billed_units: { input_tokens: 17, output_tokens: 12 } };
const REQUEST = { model: 'command', prompt: 'Once upon' };

function whole(body: unknown, status = 200): WireExchange {
  return {
    target: '/v1/generate',
    host: 'api.cohere.com',
    request: REQUEST,
    status,
    response: JSON.stringify(body),
  };
}

function lines(list: readonly object[], extra: Partial<WireExchange> = {}): WireExchange {
  return {
    ...whole({}),
    request: { ...REQUEST, stream: true },
    contentType: 'application/stream+json',
    response: list.map((line) => `${JSON.stringify(line)}\n`).join(''),
    ...extra,
  };
}

function generating(text: string, index?: number): object {
  return {
    ...(index === undefined ? {} : { index }),
    text,
    is_finished: false,
    event_type: 'text-generation',
  };
}

function generated(...generations: object[]): object {
  return {
    is_finished: true,
    event_type: 'stream-end',
    finish_reason: 'COMPLETE',
    response: { id: ID, prompt: 'Once upon', generations, meta: META },
  };
}

export const COHERE_GENERATE_FIXTURES: readonly Fixture[] = [
  {
    name: 'an answer in one text, with the reasons that the documentation leaves out',
    wire: whole({
      id: ID,
      generations: [{ id: 'g1', text: ' a time ☀️', finish_reason: 'COMPLETE' }],
      prompt: 'Once upon',
      meta: META,
    }),
    expected: {
      provider: 'cohere',
      id: ID,
      usage: COUNTED,
      finishReasons: ['COMPLETE'],
      messages: [{ text: ' a time ☀️', finishReason: 'stop', partTypes: ['text'] }],
    },
  },
  {
    name: 'several texts without reasons',
    wire: whole({
      id: ID,
      generations: [
        { id: 'g1', index: 1, text: 'b', likelihood: -1.2 },
        { id: 'g2', index: 0, text: 'a' },
      ],
    }),
    expected: {
      id: ID,
      usage: {},
      finishReasons: [],
      messages: [
        { text: 'a', finishReason: 'stop' },
        { text: 'b', finishReason: 'stop' },
      ],
    },
  },
  {
    name: 'a stream of lines, whose end repeats the text',
    wire: lines([
      generating(' a'),
      generating(' time'),
      generated({ id: 'g1', text: ' a time', finish_reason: 'MAX_TOKENS' }),
    ]),
    expected: {
      id: ID,
      usage: COUNTED,
      finishReasons: ['MAX_TOKENS'],
      messages: [{ text: ' a time', finishReason: 'length', partTypes: ['text'] }],
    },
  },
  {
    name: 'a stream of two texts at a time',
    wire: lines([
      generating('a', 0),
      generating('b', 1),
      generating('c', 0),
      generated(
        { id: 'g1', index: 0, text: 'ac', finish_reason: 'COMPLETE' },
        { id: 'g2', index: 1, text: 'b', finish_reason: 'STOP_SEQUENCE' },
      ),
    ]),
    expected: {
      id: ID,
      usage: COUNTED,
      finishReasons: ['COMPLETE', 'STOP_SEQUENCE'],
      messages: [{ text: 'ac' }, { text: 'b', finishReason: 'stop' }],
    },
  },
  {
    name: 'an error in a stream',
    wire: lines([
      generating(' a'),
      {
        is_finished: true,
        event_type: 'stream-error',
        finish_reason: 'ERROR_TOXIC',
        err: 'Blocked.',
      },
    ]),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ text: ' a', finishReason: 'error' }],
      error: { type: 'ERROR_TOXIC', message: 'Blocked.' },
      complete: false,
    },
  },
  {
    name: 'an error in a stream that is no code',
    wire: lines([
      { event_type: 'stream-error', finish_reason: 'It broke. '.repeat(20), err: 'x'.repeat(3000) },
    ]),
    expected: {
      noResponse: true,
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: '_OTHER', message: 'x'.repeat(2000) },
      complete: false,
    },
  },
  {
    name: 'a prompt that is refused',
    wire: whole({ message: 'invalid request: prompt must be at least 1 token long.' }, 400),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [],
      error: { type: '400', message: 'invalid request: prompt must be at least 1 token long.' },
      noResponse: true,
    },
  },
  {
    name: 'a stream of lines that is cut off',
    wire: lines([generating(' a'), generating(' ti')], { isResponseComplete: false }),
    expected: {
      usage: {},
      finishReasons: [],
      messages: [{ text: ' a ti', finishReason: 'error' }],
      complete: false,
      damage: ['truncated'],
    },
  },
];

const SUMMARIZE = { target: '/v1/summarize', request: { model: 'command', text: 'Long.' } };
const CLASSIFY = { target: '/v1/classify', request: { model: 'embed-v4.0', inputs: ['a'] } };
const NOTHING = { finishReasons: [], messages: [] };

export const COHERE_SUMMARIES_FIXTURES: readonly Fixture[] = [
  {
    name: 'a summary and what is billed for it',
    wire: { ...whole({ id: ID, summary: 'Short.', meta: META }), ...SUMMARIZE },
    expected: { ...NOTHING, provider: 'cohere', id: ID, usage: COUNTED },
  },
  {
    name: 'classes, for which no tokens are billed',
    wire: {
      ...whole({
        id: ID,
        classifications: [{ id: 'c', input: 'a', prediction: 'b', confidence: 0.9 }],
        meta: { billed_units: { classifications: 1 } },
      }),
      ...CLASSIFY,
    },
    expected: { ...NOTHING, provider: 'cohere', id: ID, usage: {} },
  },
  {
    name: 'a summary that is refused',
    wire: { ...whole({ message: 'invalid api token' }, 401), ...SUMMARIZE },
    expected: {
      ...NOTHING,
      usage: {},
      error: { type: '401', message: 'invalid api token' },
      noResponse: true,
    },
  },
  {
    name: 'classes that break off',
    wire: {
      ...whole({}),
      ...CLASSIFY,
      response: `{"id":"${ID}","classifications":[{"id":"c`,
      isResponseComplete: false,
    },
    expected: { ...NOTHING, id: ID, usage: {}, complete: false, damage: ['truncated'] },
  },
];
