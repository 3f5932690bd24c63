/** Gemini's and Vertex AI's generateContent as the service side speaks it: https://ai.google.dev/api/generate-content */
import type { Answer, StreamEvent } from './answer.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import { isRecord, type Json, records } from './json-value.ts';
import type { BodyPiece } from './response-plan.ts';
import type { Scenario } from './scenario.ts';
import { framePieces, jsonText } from './sse-framing.ts';
import {
  noteEnd,
  reasonOf,
  type SaidMessage,
  setUsage,
  textPieces,
  type VendorApi,
  type VendorError,
  type VendorTarget,
  viewOf,
} from './vendor-api.ts';

const PATH = /\/([^/:]+):(generateContent|streamGenerateContent)$/;
const WORDS = { stop: 'STOP', tools: 'STOP' };

function saidOf(content: Json): SaidMessage {
  const parts = records(content.parts);
  return {
    role: content.role === 'model' ? 'assistant' : 'user',
    text: parts.map((part) => (typeof part.text === 'string' ? part.text : '')).join(''),
    hasToolCalls: parts.some((part) => isRecord(part.functionCall)),
    results: parts
      .map((part) => part.functionResponse)
      .filter(isRecord)
      .map((result) => ({
        ...(typeof result.id === 'string' ? { id: result.id } : {}),
        text: JSON.stringify(result.response),
      })),
  };
}

function usageOf(answer: Answer): Json {
  const { input, output, cacheRead, reasoning } = answer.tokens;
  return {
    promptTokenCount: input,
    candidatesTokenCount: output,
    ...(cacheRead ? { cachedContentTokenCount: cacheRead } : {}),
    ...(reasoning ? { thoughtsTokenCount: reasoning } : {}),
    totalTokenCount: input + output + (reasoning ?? 0),
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

function chunk(answer: Answer, parts: Json[], rest: Json = {}): Json {
  const content = { parts, role: 'model' };
  return {
    candidates: [{ content, ...rest, index: 0 }],
    modelVersion: answer.model,
    responseId: answer.id,
  };
}

/** Parts with what the truth gains by each: `deltas` cuts texts as a stream does. */
function partsOf(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
  isStreamed: boolean,
): { part: Json; effect: () => void }[] {
  const choice = answer.choices[0]!;
  const cut = (text: string): string[] =>
    isStreamed ? textPieces(text, answer, scenario) : text === '' ? [] : [text];
  const thoughts = cut(choice.reasoning).map((text) => ({
    part: { text, thought: true },
    effect: () => {
      choiceOf(truth, 0).reasoning += text;
    },
  }));
  const texts = cut(choice.text).map((text) => ({
    part: { text },
    effect: () => {
      choiceOf(truth, 0).text += text;
    },
  }));
  const calls = choice.toolCalls.map((call, index) => {
    const id = scenario.toolCalls?.[index]?.id;
    const shared = { ...(id === undefined ? {} : { id }), name: call.name };
    return {
      part: { functionCall: { ...shared, args: JSON.parse(call.argumentsText) as unknown } },
      effect: () => {
        choiceOf(truth, 0).toolCalls.push({ ...shared, argumentsText: call.argumentsText });
      },
    };
  });
  return [...thoughts, ...texts, ...calls];
}

function noteHead(truth: AnswerTruth, answer: Answer): void {
  truth.id = answer.id;
  truth.model = answer.model;
  choiceOf(truth, 0);
}

/** Events, or without `alt=sse` the elements of an array. */
function frame(events: StreamEvent[], scenario: Scenario, target: VendorTarget): BodyPiece[] {
  if (target.query.get('alt') === 'sse') {
    return framePieces(events, { newline: 'crlf', ...scenario });
  }
  const pieces: BodyPiece[] = events.map(({ data, effect }, index) => {
    const text = jsonText(data, scenario.asciiJson === true);
    const end = index === events.length - 1 ? ']' : '';
    return { bytes: Buffer.from(`${index === 0 ? '[' : ',\r\n'}${text}${end}`), effect };
  });
  return pieces;
}

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};

function errorOf(status: number, scenario: Scenario): { error: VendorError; body: Json } {
  const message = scenario.error?.message ?? 'The request failed.';
  const type = STATUSES[status] ?? 'INTERNAL';
  return {
    error: { type, code: String(status), message },
    body: { error: { code: status, message, status: type } },
  };
}

export const gemini: VendorApi = {
  api: 'gemini.generate_content',
  matches: (path) => PATH.test(path),
  view(body, { path }) {
    const match = PATH.exec(path)!;
    const isStream = match[2] === 'streamGenerateContent';
    return viewOf(
      'gemini.generate_content',
      match[1],
      isStream,
      records(body.contents).map(saidOf),
    );
  },
  whole(answer, scenario, truth) {
    const parts = partsOf(answer, scenario, truth, false);
    const finishReason = reasonOf(answer, scenario, WORDS);
    const whole = chunk(
      answer,
      parts.map(({ part }) => part),
      { finishReason },
    );
    return {
      body: { ...whole, usageMetadata: usageOf(answer) },
      effect() {
        noteHead(truth, answer);
        for (const { effect } of parts) {
          effect();
        }
        noteUsage(truth, answer);
        noteEnd(truth, finishReason);
      },
    };
  },
  stream(answer, scenario, truth, target) {
    const begun = { promptTokenCount: answer.tokens.input, totalTokenCount: answer.tokens.input };
    const events: StreamEvent[] = partsOf(answer, scenario, truth, true).map(
      ({ part, effect }) => ({
        data: { ...chunk(answer, [part]), usageMetadata: begun },
        effect() {
          noteHead(truth, answer);
          effect();
          truth.usage = { inputTokens: answer.tokens.input };
        },
      }),
    );
    const finishReason = reasonOf(answer, scenario, WORDS);
    events.push({
      data: {
        ...chunk(answer, [{ text: '' }], { finishReason }),
        usageMetadata: usageOf(answer),
      },
      effect() {
        noteHead(truth, answer);
        noteUsage(truth, answer);
        noteEnd(truth, finishReason);
      },
    });
    const isSse = target.query.get('alt') === 'sse';
    return {
      contentType: isSse ? 'text/event-stream' : 'application/json; charset=UTF-8',
      pieces: frame(events, scenario, target),
    };
  },
  error: errorOf,
  streamError(scenario, truth, target, isFirst) {
    const { error, body } = errorOf(503, scenario);
    const effect = (): void => {
      truth.error = error;
    };
    if (target.query.get('alt') === 'sse') {
      return frame([{ data: body, effect }], scenario, target)[0]!;
    }
    const text = jsonText(body, scenario.asciiJson === true);
    return { bytes: Buffer.from(`${isFirst ? '[' : ',\r\n'}${text}]`), effect };
  },
};
