/**
 * Converse and ConverseStream of Amazon Bedrock.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, TextSlot, ToolSlot } from './answer.ts';
import {
  CONVERSE_CONTENT_PLAN,
  CONVERSE_MESSAGE_PLAN,
  isOfServer,
  readConverseBlock,
  readConverseBlocks,
  readConverseMessage,
  SERVER_TOOL_USE,
} from './bedrock-content.ts';
import { failRefused, failStreamed } from './bedrock-error.ts';
import { bedrockTargetOf } from './bedrock-target.ts';
import { CONVERSE_USAGE_PLAN, readConverseUsage } from './bedrock-usage.ts';
import { createDeltaAppender } from './delta-appender.ts';
import {
  asArray,
  asCount,
  asName,
  asNumber,
  asObject,
  asTexts,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { KeptText } from './kept-text.ts';
import type { CallRequest } from './model-call.ts';
import { argumentsText } from './openai-message.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import { addToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import { partsOf, type WireItem } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TYPE: JsonPlan = { keep: 'all', fields: new Map([['type', ALL]]) };

/** A tool is in a member that is named like its kind; its schema is in another object. */
export function converseToolPlan(isContentOn: boolean): JsonPlan {
  const spec = new Map(toolDefinitionPlan('inputSchema', isContentOn).fields!);
  if (isContentOn) {
    spec.set('inputSchema', { keep: 'all', fields: new Map([['json', { keep: 'raw' }]]) });
  }
  const named: JsonPlan = { keep: 'all', fields: new Map([['name', ALL]]) };
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['toolSpec', { keep: 'all', fields: spec }],
      ['systemTool', named],
    ]),
  };
}

/** `additionalModelRequestFields` go to the model as they are; some of them are parameters. */
const MODEL_FIELDS: JsonPlan = {
  keep: 'all',
  fields: new Map([
    ['top_k', ALL],
    ['topK', ALL],
  ]),
};

function requestPlan(isContentOn: boolean): JsonPlan {
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['system', isContentOn ? CONVERSE_CONTENT_PLAN : { keep: 'skip' }],
      ['inferenceConfig', ALL],
      ['additionalModelRequestFields', MODEL_FIELDS],
      ['serviceTier', TYPE],
      ['guardrailConfig', { keep: 'all', fields: new Map([['guardrailIdentifier', ALL]]) }],
      ['messages', { keep: 'all', emit: 'message', items: CONVERSE_MESSAGE_PLAN }],
      [
        'toolConfig',
        {
          keep: 'all',
          fields: new Map([
            ['tools', { keep: 'all', emit: 'tool', items: converseToolPlan(isContentOn) }],
          ]),
        },
      ],
    ]),
  };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['output', { keep: 'all', fields: new Map([['message', CONVERSE_MESSAGE_PLAN]]) }],
    ['stopReason', ALL],
    ['usage', CONVERSE_USAGE_PLAN],
    ['serviceTier', TYPE],
    ['message', ALL],
    ['Message', ALL],
    ['__type', ALL],
  ]),
};

export const bedrockConverse: WireApiReader = {
  api: 'bedrock.converse',
  operation: 'chat',
  provider: 'aws.bedrock',
  matches: ({ path }) => bedrockTargetOf(path)?.method.startsWith('converse') === true,
  readRequest,
  readAnswer: readConverseAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content } = context;
  const request = call.request;
  const messages = createRequestMessages(context, readConverseMessage);
  const addressed = bedrockTargetOf(target.path);
  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'message') {
        messages.add(value, isWhole);
      } else {
        addConverseTool(context, value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      setField(request, 'model', addressed?.model);
      setField(request, 'stream', addressed?.method === 'converse-stream' || undefined);
      setInferenceConfig(request, body.inferenceConfig);
      const fields = asObject(body.additionalModelRequestFields);
      setField(request, 'topK', asNumber(fields?.top_k) ?? asNumber(fields?.topK));
      setField(request, 'serviceTier', asName(asObject(body.serviceTier)?.type));
      const guardrail = asObject(body.guardrailConfig)?.guardrailIdentifier;
      setField(request, 'guardrailId', asName(guardrail));
      if (content.isOn) {
        request.systemInstructions = partsOf(readConverseBlocks(body.system), content);
      }
      // A prompt that is kept at the service needs no messages.
      return !isWhole || asObject(root) !== undefined;
    },
  };
}

/** The parameters of Converse and of Nova's own requests. */
export function setInferenceConfig(request: CallRequest, value: unknown): void {
  const config = asObject(value) ?? {};
  setField(request, 'maxTokens', asCount(config.maxTokens) ?? asCount(config.max_new_tokens));
  setField(request, 'temperature', asNumber(config.temperature));
  setField(request, 'topP', asNumber(config.topP) ?? asNumber(config.top_p));
  setField(request, 'topK', asNumber(config.topK) ?? asNumber(config.top_k));
  setField(request, 'stopSequences', asTexts(config.stopSequences));
}

export function addConverseTool(context: CallContext, value: unknown): void {
  const tool = asObject(value) ?? {};
  const spec = asObject(tool.toolSpec);
  if (spec !== undefined) {
    const schema = asObject(spec.inputSchema)?.json;
    addToolDefinition(context, 'function', { ...spec, inputSchema: schema }, 'inputSchema');
    return;
  }
  const name = asName(asObject(tool.systemTool)?.name);
  if (name !== undefined) {
    addToolDefinition(context, 'system', { name }, 'inputSchema');
  }
}

/** A content block of a stream that is still open. */
interface OpenBlock {
  text?: { slot: TextSlot; kind: 'text' | 'reasoning' };
  tool?: ToolSlot;
  server?: ServerBlock;
}

/** A tool that the service runs itself: a call with its arguments so far, or a result with its content so far. */
type ServerBlock =
  | { toolUse: JsonObject; input: KeptText }
  | { toolResult: JsonObject; content: unknown[]; contentLength: number };

/** The name of the events that bring pieces. */
const DELTA = 'contentBlockDelta';
/** Random padding, of which nothing is read. */
const PADDING = 'p';
const textOf = (root: unknown): unknown => asObject(asObject(root)?.delta)?.text;
const inputOf = (root: unknown): unknown =>
  asObject(asObject(asObject(root)?.delta)?.toolUse)?.input;

/** Reads answers of Converse, and Nova's own, whose events have their name as their only member. */
export function readConverseAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const blocks = new Map<number, OpenBlock>();
  const deltas = createDeltaAppender(answer, [PADDING]);
  let hasStopped = false;
  let isDone = false;

  function setStopReason(value: unknown): void {
    const reason = asName(value);
    const choice = reason === undefined ? undefined : answer.choice(0);
    if (choice !== undefined) {
      choice.finishReason = reason;
      choice.completeToolCalls();
    }
  }

  function readTail(value: JsonObject): void {
    const usage = readConverseUsage(value.usage);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
    answer.setServiceTier(asObject(value.serviceTier)?.type);
  }

  function start(choice: Choice, index: number, value: JsonObject, timeNs: bigint): void {
    const called = asObject(value.toolUse);
    const answered = asObject(value.toolResult);
    if (blocks.size >= limits.maxParts) {
      call.damage.add('limit');
      return;
    }
    if (called?.type === SERVER_TOOL_USE) {
      const input = new KeptText(limits.maxArgumentBytes);
      blocks.set(index, { server: { toolUse: called, input } });
      return;
    }
    if (answered !== undefined && isOfServer(answered)) {
      blocks.set(index, { server: { toolResult: answered, content: [], contentLength: 0 } });
    }
    if (called === undefined) {
      return;
    }
    deltas.forget();
    const id = asName(called.toolUseId);
    const tool = choice.beginToolCall(id, textPrefix(called.name) ?? '', timeNs);
    if (tool !== undefined) {
      blocks.set(index, { tool });
    }
  }

  function append(
    choice: Choice,
    index: number,
    kind: 'text' | 'reasoning',
    piece: unknown,
    timeNs: bigint,
  ): void {
    if (typeof piece !== 'string' || piece === '') {
      return;
    }
    let open = blocks.get(index)?.text;
    if (open?.kind !== kind) {
      deltas.forget();
      const slot = choice.beginText(kind);
      if (slot === undefined) {
        return;
      }
      open = { slot, kind };
      blocks.set(index, { text: open });
    }
    choice.append(open.slot, piece, timeNs);
  }

  /** A piece of what the service calls and gets itself, up to the limit of a tool's arguments. */
  function appendOfServer(server: ServerBlock, piece: unknown): void {
    if ('toolUse' in server) {
      if (!server.input.append(textPrefix(piece) ?? '')) {
        call.damage.add('limit');
      }
      return;
    }
    server.contentLength += argumentsText(piece).length;
    if (server.contentLength > limits.maxArgumentBytes) {
      call.damage.add('limit');
      return;
    }
    for (const value of asArray(piece) ?? []) {
      server.content.push(value);
    }
  }

  function delta(choice: Choice, index: number, value: JsonObject, timeNs: bigint): void {
    append(choice, index, 'text', value.text, timeNs);
    append(choice, index, 'reasoning', asObject(value.reasoningContent)?.text, timeNs);
    const piece = asObject(value.toolUse)?.input;
    const { tool, server } = blocks.get(index) ?? {};
    if (server !== undefined) {
      appendOfServer(server, piece ?? value.toolResult);
    }
    if (tool !== undefined && typeof piece === 'string') {
      choice.appendArguments(tool, piece, timeNs, true);
    }
  }

  /** The event, a piece of a block's only text or of a tool's arguments, may stand for those that follow. */
  function learn(root: JsonObject, data: string): void {
    const value = asObject(root.delta) ?? {};
    const block = blocks.get(asCount(root.contentBlockIndex) ?? 0);
    const { text, tool } = block ?? {};
    const isOnly = Object.keys(value).length === 1;
    if (!isOnly) {
      return;
    }
    const isText = text?.kind === 'text' && deltas.learn(data, 'text', textOf, { slot: text.slot });
    if (!isText && tool !== undefined) {
      deltas.learn(data, 'input', inputOf, { tool });
    }
  }

  function stop(choice: Choice, index: number, timeNs: bigint): void {
    deltas.forget();
    const { tool, server } = blocks.get(index) ?? {};
    blocks.delete(index);
    const item = server && itemOfServer(server, limits.maxArgumentBytes);
    if (item !== undefined) {
      choice.addItem(item, timeNs);
    }
    if (tool !== undefined) {
      if (!tool.isTorn) {
        tool.timeNs = timeNs;
      }
      choice.completeToolCall(tool);
    }
  }

  function readEvent(type: string, value: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    const index = asCount(value.contentBlockIndex) ?? 0;
    if (choice === undefined) {
      return;
    }
    switch (type) {
      case 'messageStart':
        choice.role = asName(value.role) ?? choice.role;
        return;
      case 'contentBlockStart':
        start(choice, index, asObject(value.start) ?? {}, timeNs);
        return;
      case DELTA:
        delta(choice, index, asObject(value.delta) ?? {}, timeNs);
        return;
      case 'contentBlockStop':
        stop(choice, index, timeNs);
        return;
      case 'messageStop':
        hasStopped = true;
        setStopReason(value.stopReason);
        return;
      case 'metadata':
        readTail(value);
        isDone = hasStopped;
        return;
      default:
      // An event that is newer than this.
    }
  }

  return {
    plan: ANSWER_PLAN,
    formatOf: bedrockFormatOf,
    body(root, isWhole, timeNs) {
      if ((call.httpStatus ?? 0) >= 400) {
        failRefused(call, answer, root);
        return;
      }
      const body = asObject(root);
      if (body === undefined) {
        return;
      }
      const message = asObject(asObject(body.output)?.message);
      const choice = message === undefined ? undefined : answer.choice(0);
      if (choice !== undefined) {
        choice.role = asName(message?.role) ?? choice.role;
        const content = asArray(message?.content) ?? [];
        content.forEach((value, position) => {
          const item = readConverseBlock(asObject(value) ?? {});
          if (item !== undefined) {
            choice.addItem(item, timeNs, !isWhole && position === content.length - 1);
          }
        });
      }
      setStopReason(body.stopReason);
      readTail(body);
    },
    event(name, data, timeNs, isFailure) {
      if (isFailure === true) {
        failStreamed(answer, name, data);
        return true;
      }
      if (name === DELTA && deltas.append(data, timeNs)) {
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        return false;
      }
      if (name === '') {
        for (const [type, value] of Object.entries(root)) {
          readEvent(type, asObject(value) ?? {}, timeNs);
        }
      } else {
        readEvent(name, root, timeNs);
        if (name === DELTA) {
          learn(root, data);
        }
      }
      return true;
    },
    gap() {
      blocks.clear();
      deltas.forget();
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
    },
    get isDone() {
      return isDone;
    },
    mayEnd: () => hasStopped,
  };
}

/** What a tool of the service's own was, once its block has ended. */
function itemOfServer(server: ServerBlock, maxContentLength: number): WireItem | undefined {
  const isCall = 'toolUse' in server;
  const item = readConverseBlock(
    isCall
      ? { toolUse: { ...server.toolUse, input: server.input.toString() } }
      : { toolResult: { ...server.toolResult, content: server.content } },
  );
  const isCut = isCall ? server.input.isCut : server.contentLength > maxContentLength;
  return item?.kind === 'other' && isCut ? { ...item, isCut } : item;
}

/** What a body of Bedrock's runtime is. */
export const bedrockFormatOf: NonNullable<AnswerReader['formatOf']> = (seen) => {
  switch (seen) {
    case 'aws-event-stream':
    case 'sse':
      return seen;
    case 'json':
    case 'json-array':
    case 'ndjson':
      return 'json';
    default:
      return 'other';
  }
};
