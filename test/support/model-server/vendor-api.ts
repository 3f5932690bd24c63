/** What one of the vendors' own APIs must provide for the server to speak it; `vendor-endpoint.ts` does the rest. */
import { type Answer, cutText, deltasOf, type RequestView } from './answer.ts';
import {
  type AnswerTruth,
  choiceOf,
  type ToolResultTruth,
  type UsageTruth,
  type VendorWireApi,
} from './exchange-truth.ts';
import type { Json } from './json-value.ts';
import type { BodyPiece } from './response-plan.ts';
import type { Scenario } from './scenario.ts';
import { jsonText } from './sse-framing.ts';

export interface VendorError {
  /** What the client is told as the error's name. */
  type?: string;
  code?: string;
  message: string;
}

export interface VendorTarget {
  path: string;
  query: URLSearchParams;
}

export interface VendorStream {
  contentType: string;
  pieces: BodyPiece[];
}

export interface VendorApi {
  api: VendorWireApi;
  /** Whether a POST to this path is one of these calls. */
  matches(path: string): boolean;
  view(body: Json, target: VendorTarget): RequestView;
  /** The whole answer; `effect` belongs to its last byte. */
  whole(
    answer: Answer,
    scenario: Scenario,
    truth: AnswerTruth,
  ): { body: Json; effect: () => void; headers?: [string, string][] };
  stream(
    answer: Answer,
    scenario: Scenario,
    truth: AnswerTruth,
    target: VendorTarget,
  ): VendorStream;
  error(status: number, scenario: Scenario): { error: VendorError; body: Json };
  /** The API's own way to fail in the middle of a stream; `isFirst`: nothing was sent before. */
  streamError(
    scenario: Scenario,
    truth: AnswerTruth,
    target: VendorTarget,
    isFirst: boolean,
  ): BodyPiece;
  errorHeaders?(error: VendorError): [string, string][];
}

/** One message of a request, whatever its API calls the members. */
export interface SaidMessage {
  role: 'user' | 'assistant' | 'other';
  text: string;
  hasToolCalls: boolean;
  results: ToolResultTruth[];
}

export function viewOf(
  api: VendorWireApi,
  model: string | undefined,
  stream: boolean,
  messages: readonly SaidMessage[],
): RequestView {
  let lastUserText = '';
  let roundsDone = 0;
  let turnResults: ToolResultTruth[] = [];
  let toolResults: ToolResultTruth[] = [];
  for (const message of messages) {
    if (message.role === 'assistant') {
      toolResults = [];
      roundsDone += message.hasToolCalls ? 1 : 0;
      continue;
    }
    if (message.role === 'user' && message.results.length === 0) {
      lastUserText = message.text;
      roundsDone = 0;
      turnResults = [];
      toolResults = [];
    }
    turnResults.push(...message.results);
    toolResults.push(...message.results);
  }
  return {
    api,
    model,
    stream,
    includeUsage: true,
    choices: 1,
    messages: messages.length,
    lastUserText,
    roundsDone,
    turnResults,
    toolResults,
    shellTool: undefined,
  };
}

export function textPieces(text: string, answer: Answer, scenario: Scenario): string[] {
  return cutText(text, deltasOf(scenario), answer.random);
}

/** The reason in the API's own word, unless the scenario names one. */
export function reasonOf(
  answer: Answer,
  scenario: Scenario,
  words: { stop: string; tools: string },
): string | undefined {
  if (scenario.finishReason !== undefined) {
    return scenario.finishReason ?? undefined;
  }
  return answer.choices[0]!.toolCalls.length > 0 ? words.tools : words.stop;
}

export function setUsage(
  truth: AnswerTruth,
  usage: { readonly [Name in keyof UsageTruth]: number | undefined },
): void {
  truth.usage = Object.fromEntries(
    Object.entries(usage).filter(([, count]) => count !== undefined),
  );
}

export function noteEnd(truth: AnswerTruth, reason: string | undefined): void {
  if (reason !== undefined) {
    choiceOf(truth, 0).finishReason = reason;
  }
  truth.complete = true;
}

/** A JSON text on a line of its own. */
export function linePiece(value: unknown, scenario: Scenario, effect: () => void): BodyPiece {
  return { bytes: Buffer.from(`${jsonText(value, scenario.asciiJson === true)}\n`), effect };
}
