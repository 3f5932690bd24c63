/** Gemini's interactions as the service side speaks them: https://ai.google.dev/gemini-api/docs/interactions/streaming */
import type { Answer, StreamEvent } from './answer.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import type { Json } from './json-value.ts';
import type { Scenario } from './scenario.ts';
import { framePieces } from './sse-framing.ts';
import {
  noteEnd,
  reasonOf,
  type SaidMessage,
  setUsage,
  textPieces,
  type VendorApi,
  viewOf,
} from './vendor-api.ts';

const API = 'gemini.interactions';
const WORDS = { stop: 'completed', tools: 'requires_action' };

function saidOf(input: unknown): SaidMessage[] {
  return typeof input === 'string'
    ? [{ role: 'user', text: input, hasToolCalls: false, results: [] }]
    : [];
}

function usageOf(answer: Answer): Json {
  const { input, output, cacheRead, reasoning } = answer.tokens;
  return {
    total_input_tokens: input,
    total_output_tokens: output,
    ...(cacheRead ? { total_cached_tokens: cacheRead } : {}),
    ...(reasoning ? { total_thought_tokens: reasoning } : {}),
    total_tokens: input + output + (reasoning ?? 0),
  };
}

function noteUsage(truth: AnswerTruth, answer: Answer): void {
  const { input, output, cacheRead, reasoning } = answer.tokens;
  truth.wireUsage = usageOf(answer);
  setUsage(truth, {
    inputTokens: input,
    outputTokens: output + (reasoning ?? 0),
    cacheReadInputTokens: cacheRead || undefined,
    reasoningOutputTokens: reasoning || undefined,
  });
}

function noteHead(truth: AnswerTruth, answer: Answer): void {
  truth.id = answer.id;
  truth.model = answer.model;
  choiceOf(truth, 0);
}

function interaction(answer: Answer, status: string | undefined, rest: Json = {}): Json {
  return { id: answer.id, model: answer.model, object: 'interaction', status, ...rest };
}

function event(type: string, rest: Json, effect?: () => void): StreamEvent {
  const made: StreamEvent = { event: type, data: { ...rest, event_type: type } };
  return effect === undefined ? made : { ...made, effect };
}

function stepsOf(answer: Answer): Json[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  return [
    ...(reasoning === ''
      ? []
      : [{ type: 'thought', summary: [{ type: 'text', text: reasoning }] }]),
    ...(text === '' ? [] : [{ type: 'model_output', content: [{ type: 'text', text }] }]),
    ...toolCalls.map(({ id, name, argumentsText }) => ({
      type: 'function_call',
      id,
      name,
      arguments: JSON.parse(argumentsText) as unknown,
    })),
  ];
}

function eventsOf(answer: Answer, scenario: Scenario, truth: AnswerTruth): StreamEvent[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const begun = interaction(answer, 'in_progress');
  const events = [
    event('interaction.created', { interaction: begun }, () => noteHead(truth, answer)),
  ];
  let index = 0;
  const addStep = (start: Json, begin: () => void, deltas: [Json, () => void][]): void => {
    events.push(event('step.start', { index, step: start }, begin));
    for (const [delta, effect] of deltas) {
      events.push(event('step.delta', { index, delta }, effect));
    }
    events.push(event('step.stop', { index }));
    index += 1;
  };
  if (reasoning !== '') {
    const pieces = textPieces(reasoning, answer, scenario).map((piece): [Json, () => void] => [
      { type: 'thought_summary', content: { type: 'text', text: piece } },
      () => {
        choiceOf(truth, 0).reasoning += piece;
      },
    ]);
    addStep({ type: 'thought' }, () => {}, pieces);
  }
  if (text !== '') {
    const pieces = textPieces(text, answer, scenario).map((piece): [Json, () => void] => [
      { type: 'text', text: piece },
      () => {
        choiceOf(truth, 0).text += piece;
      },
    ]);
    addStep({ type: 'model_output' }, () => {}, pieces);
  }
  for (const { id, name, argumentsText } of toolCalls) {
    const seen = { id, name, argumentsText: '' };
    const pieces = textPieces(argumentsText, answer, scenario).map((piece): [Json, () => void] => [
      { type: 'arguments_delta', arguments: piece },
      () => {
        seen.argumentsText += piece;
      },
    ]);
    const begin = (): void => {
      choiceOf(truth, 0).toolCalls.push(seen);
    };
    addStep({ type: 'function_call', id, name, arguments: {} }, begin, pieces);
  }
  const status = reasonOf(answer, scenario, WORDS);
  const whole = interaction(answer, status, { usage: usageOf(answer) });
  events.push(
    event('interaction.completed', { interaction: whole }, () => {
      noteUsage(truth, answer);
      noteEnd(truth, status);
    }),
    { event: 'done', data: '[DONE]' },
  );
  return events;
}

export const geminiInteractions: VendorApi = {
  api: API,
  matches: (path) => path.endsWith('/interactions'),
  view(body) {
    const model = typeof body.model === 'string' ? body.model : undefined;
    return viewOf(API, model, body.stream === true, saidOf(body.input));
  },
  whole(answer, scenario, truth) {
    const status = reasonOf(answer, scenario, WORDS);
    const rest = { steps: stepsOf(answer), usage: usageOf(answer) };
    return {
      body: interaction(answer, status, rest),
      effect() {
        const { text, reasoning, toolCalls } = answer.choices[0]!;
        noteHead(truth, answer);
        Object.assign(choiceOf(truth, 0), {
          text,
          reasoning,
          toolCalls: toolCalls.map((call) => ({ ...call })),
        });
        noteUsage(truth, answer);
        noteEnd(truth, status);
      },
    };
  },
  stream(answer, scenario, truth) {
    const events = eventsOf(answer, scenario, truth);
    return { contentType: 'text/event-stream', pieces: framePieces(events, scenario) };
  },
  error(status, scenario) {
    const code = status === 429 ? 'resource_exhausted' : 'internal';
    const message = scenario.error?.message ?? 'The request failed.';
    return { error: { type: code, message }, body: { error: { code, message } } };
  },
  streamError(scenario, truth) {
    const error = {
      code: 'gateway_timeout',
      message: scenario.error?.message ?? 'Deadline expired.',
    };
    const failed = event('error', { error }, () => {
      truth.error = { type: error.code, message: error.message };
    });
    return framePieces([failed], scenario)[0]!;
  },
};
