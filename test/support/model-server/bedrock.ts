/**
 * Amazon Bedrock's runtime as the service side speaks it: Converse, and InvokeModel with the bodies of Claude.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
 */
import { awsEvent, awsException } from '../aws-event-stream.ts';
import type { Answer } from './answer.ts';
import { anthropicBody, anthropicStream, viewAnthropicRequest } from './anthropic-messages.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import { isRecord, type Json, records } from './json-value.ts';
import type { BodyPiece } from './response-plan.ts';
import type { Scenario } from './scenario.ts';
import {
  noteEnd,
  reasonOf,
  type SaidMessage,
  setUsage,
  textPieces,
  type VendorApi,
  type VendorError,
  viewOf,
} from './vendor-api.ts';

const CONVERSE = /\/model\/([^/]+)\/(converse|converse-stream)$/;
const INVOKE = /\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/;
const CONTENT_TYPE = 'application/vnd.amazon.eventstream';
const WORDS = { stop: 'end_turn', tools: 'tool_use' };

function saidOf(message: Json): SaidMessage {
  const blocks = records(message.content);
  return {
    role: message.role === 'assistant' ? 'assistant' : 'user',
    text: blocks.map((block) => (typeof block.text === 'string' ? block.text : '')).join(''),
    hasToolCalls: blocks.some((block) => isRecord(block.toolUse)),
    results: blocks
      .map((block) => block.toolResult)
      .filter(isRecord)
      .map((result) => ({ id: String(result.toolUseId), text: JSON.stringify(result.content) })),
  };
}

/** As the service counts: cached tokens on top of the input. */
function usageOf(answer: Answer): Json {
  const { input, output, cacheRead } = answer.tokens;
  return {
    inputTokens: input,
    outputTokens: output,
    totalTokens: input + output + (cacheRead ?? 0),
    ...(cacheRead ? { cacheReadInputTokens: cacheRead, cacheWriteInputTokens: 0 } : {}),
  };
}

function noteUsage(truth: AnswerTruth, answer: Answer): void {
  const { input, output, cacheRead } = answer.tokens;
  truth.wireUsage = usageOf(answer);
  setUsage(truth, {
    inputTokens: input + (cacheRead ?? 0),
    outputTokens: output,
    cacheReadInputTokens: cacheRead || undefined,
    cacheCreationInputTokens: cacheRead ? 0 : undefined,
  });
}

function contentOf(answer: Answer): Json[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  return [
    ...(reasoning === ''
      ? []
      : [{ reasoningContent: { reasoningText: { text: reasoning, signature: 'c2ln' } } }]),
    ...(text === '' ? [] : [{ text }]),
    ...toolCalls.map(({ id, name, argumentsText }) => ({
      toolUse: { toolUseId: id, name, input: JSON.parse(argumentsText) as unknown },
    })),
  ];
}

function converseEvents(answer: Answer, scenario: Scenario, truth: AnswerTruth): BodyPiece[] {
  const { text, reasoning, toolCalls } = answer.choices[0]!;
  const pieces: BodyPiece[] = [];
  let index = 0;
  const push = (type: string, body: Json, effect?: () => void): void => {
    pieces.push({ bytes: awsEvent(type, { ...body, p: 'abcdefghij' }), effect });
  };
  const delta = (value: Json, effect: () => void): void =>
    push('contentBlockDelta', { contentBlockIndex: index, delta: value }, effect);
  const stop = (): void => {
    push('contentBlockStop', { contentBlockIndex: index });
    index += 1;
  };
  push('messageStart', { role: 'assistant' }, () => {
    choiceOf(truth, 0);
  });
  if (reasoning !== '') {
    for (const piece of textPieces(reasoning, answer, scenario)) {
      delta({ reasoningContent: { text: piece } }, () => {
        choiceOf(truth, 0).reasoning += piece;
      });
    }
    stop();
  }
  if (text !== '') {
    for (const piece of textPieces(text, answer, scenario)) {
      delta({ text: piece }, () => {
        choiceOf(truth, 0).text += piece;
      });
    }
    stop();
  }
  for (const call of toolCalls) {
    const seen = { id: call.id, name: call.name, argumentsText: '' };
    const start = { toolUse: { toolUseId: call.id, name: call.name } };
    push('contentBlockStart', { contentBlockIndex: index, start }, () => {
      choiceOf(truth, 0).toolCalls.push(seen);
    });
    for (const input of textPieces(call.argumentsText, answer, scenario)) {
      delta({ toolUse: { input } }, () => {
        seen.argumentsText += input;
      });
    }
    stop();
  }
  const reason = reasonOf(answer, scenario, WORDS);
  push('messageStop', { stopReason: reason }, () => {
    choiceOf(truth, 0).finishReason = reason!;
  });
  push('metadata', { usage: usageOf(answer), metrics: { latencyMs: 7 } }, () => {
    noteUsage(truth, answer);
    noteEnd(truth, reason);
  });
  return pieces;
}

const ERRORS: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
};

function errorOf(status: number, scenario: Scenario): { error: VendorError; body: Json } {
  const message = scenario.error?.message ?? 'The request failed.';
  return {
    error: { type: ERRORS[status] ?? 'InternalServerException', message },
    body: { message },
  };
}

function streamError(scenario: Scenario, truth: AnswerTruth): BodyPiece {
  const message = scenario.error?.message ?? 'The model failed.';
  return {
    bytes: awsException('modelStreamErrorException', message),
    effect() {
      truth.error = { type: 'modelStreamErrorException', message };
    },
  };
}

function errorHeaders(error: VendorError): [string, string][] {
  return [['x-amzn-errortype', `${error.type}:http://internal.amazon.com/coral/`]];
}

export const bedrockConverse: VendorApi = {
  api: 'bedrock.converse',
  matches: (path) => CONVERSE.test(path),
  view(body, { path }) {
    const match = CONVERSE.exec(path)!;
    const model = decodeURIComponent(match[1]!);
    const isStream = match[2] === 'converse-stream';
    return viewOf('bedrock.converse', model, isStream, records(body.messages).map(saidOf));
  },
  whole(answer, scenario, truth) {
    const reason = reasonOf(answer, scenario, WORDS);
    return {
      body: {
        output: { message: { role: 'assistant', content: contentOf(answer) } },
        stopReason: reason,
        usage: usageOf(answer),
        metrics: { latencyMs: 7 },
      },
      effect() {
        const choice = answer.choices[0]!;
        const seen = choiceOf(truth, 0);
        seen.text = choice.text;
        seen.reasoning = choice.reasoning;
        seen.toolCalls = choice.toolCalls.map((call) => ({ ...call }));
        noteUsage(truth, answer);
        noteEnd(truth, reason);
      },
    };
  },
  stream: (answer, scenario, truth) => ({
    contentType: CONTENT_TYPE,
    pieces: converseEvents(answer, scenario, truth),
  }),
  error: errorOf,
  streamError,
  errorHeaders,
};

/** Claude names its reasons as Converse does. */
function asAnthropic(answer: Answer, scenario: Scenario): Answer {
  const reason = reasonOf(answer, scenario, WORDS) ?? null;
  return {
    ...answer,
    choices: answer.choices.map((choice) => ({ ...choice, finishReason: reason })),
    tokens: { ...answer.tokens, reasoning: undefined },
  };
}

export const bedrockInvokeModel: VendorApi = {
  api: 'bedrock.invoke_model',
  matches: (path) => INVOKE.test(path),
  view(body, { path }) {
    const match = INVOKE.exec(path)!;
    return {
      ...viewAnthropicRequest(body),
      api: 'bedrock.invoke_model',
      model: decodeURIComponent(match[1]!),
      stream: match[2] === 'invoke-with-response-stream',
    };
  },
  whole(answer, scenario, truth) {
    const { body, effect } = anthropicBody(asAnthropic(answer, scenario), scenario, truth);
    const headers: [string, string][] = [
      ['x-amzn-bedrock-input-token-count', String(answer.tokens.input)],
      ['x-amzn-bedrock-output-token-count', String(answer.tokens.output)],
    ];
    // The head goes out before the body, whatever becomes of that.
    truth.usage = { inputTokens: answer.tokens.input, outputTokens: answer.tokens.output };
    return { body, effect, headers };
  },
  stream(answer, scenario, truth) {
    const events = anthropicStream(asAnthropic(answer, scenario), scenario, truth);
    const pieces = events.map(({ data, effect }, position): BodyPiece => {
      const isLast = position === events.length - 1;
      const metrics = {
        inputTokenCount: answer.tokens.input,
        outputTokenCount: answer.tokens.output,
      };
      const own = isLast
        ? { ...(data as Json), 'amazon-bedrock-invocationMetrics': metrics }
        : data;
      const bytes = Buffer.from(JSON.stringify(own)).toString('base64');
      return { bytes: awsEvent('chunk', { bytes, p: 'abcdef' }), effect };
    });
    return { contentType: CONTENT_TYPE, pieces };
  },
  error: errorOf,
  streamError,
  errorHeaders,
};
