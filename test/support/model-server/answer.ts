/** What the model says, before a wire API gives it its shape. */
import type { ToolResultTruth, WireApi } from './exchange-truth.ts';
import { isRecord } from './json-value.ts';
import { createRandom, type Random, seedOf } from './random.ts';
import type { Scenario } from './scenario.ts';

/** What the server needs to know of a request, whatever its wire API. */
export interface RequestView {
  api: WireApi;
  model: string | undefined;
  stream: boolean;
  includeUsage: boolean;
  choices: number;
  messages: number;
  /** Text of the last message a person (not a tool) wrote. */
  lastUserText: string;
  /** Assistant messages with tool calls since then. */
  roundsDone: number;
  /** Results of tools since then, in order. */
  turnResults: ToolResultTruth[];
  /** Those after the last assistant message: what this request brings back. */
  toolResults: ToolResultTruth[];
  /** First tool that runs a command. */
  shellTool: ShellTool | undefined;
}

/** A tool that runs a command, in the form that the request's definition of it asks for. */
export interface ShellTool {
  name: string;
  /** An object, or text where the tool takes text. */
  argumentsOf(command: string): unknown;
  /** Called by an item of its own kind, with text instead of JSON (the responses API). */
  isCustom?: true;
}

/** What the definition of a tool names its command, of the names that tools of agents have. */
const COMMAND_PARAMETERS = ['command', 'cmd'];

/** By the properties in its JSON schema. */
export function shellToolOf(name: unknown, properties: unknown): ShellTool | undefined {
  const given = isRecord(properties) ? properties : {};
  const parameter = COMMAND_PARAMETERS.find((candidate) => candidate in given);
  if (typeof name !== 'string' || parameter === undefined) {
    return undefined;
  }
  const schema = given[parameter];
  const isList = isRecord(schema) && schema.type === 'array';
  return {
    name,
    argumentsOf: (command) => ({ [parameter]: isList ? ['bash', '-lc', command] : command }),
  };
}

export interface ToolCallAnswer {
  id: string;
  name: string;
  argumentsText: string;
  isCustom?: true;
}

export interface ChoiceAnswer {
  text: string;
  reasoning: string;
  toolCalls: ToolCallAnswer[];
  finishReason: string | null;
}

/** Undefined: the wire says nothing of it. */
export interface TokenCounts {
  input: number;
  output: number;
  cacheRead: number | undefined;
  cacheCreation: number | undefined;
  reasoning: number | undefined;
}

export interface Answer {
  id: string;
  model: string;
  createdSeconds: number;
  choices: ChoiceAnswer[];
  tokens: TokenCounts;
  /** For whatever the encoder still has to draw: where to cut deltas, signatures. */
  random: Random;
}

/** A piece of a streamed answer. `effect` makes the truth include it; it is called once the piece was written whole. */
export interface StreamEvent {
  event?: string;
  /** JSON of it is the data; a string is sent as it is. */
  data: unknown;
  effect?: () => void;
}

const ID_PREFIXES: Readonly<Partial<Record<WireApi, string>>> = {
  'openai.chat_completions': 'chatcmpl-',
  'openai.responses': 'resp_',
  'anthropic.messages': 'msg_01',
};

const DEFAULT_TEXT_BYTES = 400;
const DEFAULT_DELTAS = 12;

export function deltasOf(scenario: Scenario): number {
  return scenario.deltas ?? DEFAULT_DELTAS;
}

/** Cuts `text` into about `count` pieces at drawn places, never inside a character. */
export function cutText(text: string, count: number, random: Random): string[] {
  const pieces: string[] = [];
  const average = Math.max(1, Math.ceil(text.length / count));
  let start = 0;
  while (start < text.length) {
    const isLast = pieces.length === count - 1;
    let end = isLast ? text.length : start + random.int(1, 2 * average - 1);
    const code = text.charCodeAt(end - 1);
    if (code >= 0xd800 && code < 0xdc00) {
      end += 1;
    }
    end = Math.min(end, text.length);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function argumentsText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A resolved model name, different from the one asked for, as real services answer with. */
function resolvedModel(asked: string | undefined): string {
  return `${asked ?? 'unnamed-model'}-2025-09-29`;
}

/** An absent count falls back, null means that the wire leaves the field out. */
function count(given: number | null | undefined, fallback: number | undefined): number | undefined {
  return given === null ? undefined : (given ?? fallback);
}

/** `identity` makes ids unique among the exchanges of one server; everything else depends on the scenario's seed. */
export function makeAnswer(
  view: RequestView,
  scenario: Scenario,
  identity: { serverSeed: number; exchange: number },
): Answer {
  const isAnthropic = view.api === 'anthropic.messages';
  const unique = createRandom(seedOf(identity.serverSeed, identity.exchange, 'id'));
  const random = createRandom(scenario.seed ?? seedOf(identity.serverSeed, identity.exchange));

  const choices: ChoiceAnswer[] = [];
  const choiceCount = isAnthropic ? 1 : (scenario.choices ?? view.choices);
  for (let index = 0; index < choiceCount; index += 1) {
    const given = index === 0 ? (scenario.toolCalls ?? []) : [];
    const toolCalls = given.map((call) => ({
      id: call.id ?? `${isAnthropic ? 'toolu_01' : 'call_'}${unique.token(22)}`,
      name: call.name,
      argumentsText: argumentsText(call.arguments),
      ...(call.isCustom === undefined ? {} : { isCustom: call.isCustom }),
    }));
    const drawn = toolCalls.length === 0 ? DEFAULT_TEXT_BYTES : 0;
    const text = scenario.text ?? random.text(scenario.textBytes ?? drawn);
    const ordinary = isAnthropic
      ? { answer: 'end_turn', tools: 'tool_use' }
      : { answer: 'stop', tools: 'tool_calls' };
    choices.push({
      text: index === 0 ? text : `${text} (choice ${index})`,
      reasoning: scenario.reasoning ?? '',
      toolCalls,
      finishReason:
        scenario.finishReason === undefined
          ? toolCalls.length > 0
            ? ordinary.tools
            : ordinary.answer
          : scenario.finishReason,
    });
  }

  const given = scenario.tokens ?? {};
  return {
    id: scenario.responseId ?? `${ID_PREFIXES[view.api] ?? ''}${unique.token(24)}`,
    model: scenario.model ?? resolvedModel(view.model),
    createdSeconds: 1_760_000_000 + identity.exchange,
    choices,
    tokens: {
      input: given.input ?? random.int(20, 4000),
      output: given.output ?? random.int(5, 900),
      cacheRead: count(given.cacheRead, 0),
      cacheCreation: count(given.cacheCreation, isAnthropic ? 0 : undefined),
      reasoning: count(given.reasoning, isAnthropic ? undefined : 0),
    },
    random,
  };
}
