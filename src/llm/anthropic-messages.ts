/**
 * The messages API of Anthropic and everyone who speaks it.
 * https://docs.anthropic.com/en/api/messages and https://docs.anthropic.com/en/docs/build-with-claude/streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import {
  ANTHROPIC_CONTENT_PLAN,
  ANTHROPIC_MESSAGE_PLAN,
  readAnthropicMessage,
  readBlock,
  readBlocks,
} from './anthropic-message.ts';
import { ANTHROPIC_USAGE_PLAN, createAnthropicUsage } from './anthropic-usage.ts';
import { createDeltaTemplate } from './delta-template.ts';
import {
  asCount,
  asName,
  asNumber,
  asObject,
  asTexts,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { KeptText } from './kept-text.ts';
import { readConversationRequest } from './request-messages.ts';
import { setField } from './set-field.ts';
import { addToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import { partsOf } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };

const FORMAT: JsonPlan = { keep: 'all', fields: new Map([['type', ALL]]) };

function requestPlan(isContentOn: boolean): JsonPlan {
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['model', ALL],
      ['stream', ALL],
      ['max_tokens', ALL],
      ['temperature', ALL],
      ['top_p', ALL],
      ['top_k', ALL],
      ['stop_sequences', ALL],
      ['service_tier', ALL],
      ['output_format', FORMAT],
      [
        'output_config',
        {
          keep: 'all',
          fields: new Map<string, JsonPlan>([
            ['format', FORMAT],
            ['effort', ALL],
          ]),
        },
      ],
      ['system', isContentOn ? ANTHROPIC_CONTENT_PLAN : { keep: 'skip' }],
      ['messages', { keep: 'all', emit: 'message', items: ANTHROPIC_MESSAGE_PLAN }],
      [
        'tools',
        { keep: 'all', emit: 'tool', items: toolDefinitionPlan('input_schema', isContentOn) },
      ],
    ]),
  };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['type', ALL],
    ['role', ALL],
    ['model', ALL],
    ['content', ANTHROPIC_CONTENT_PLAN],
    ['stop_reason', ALL],
    ['usage', ANTHROPIC_USAGE_PLAN],
    ['error', ALL],
    ['message', ALL],
    ['detail', ALL],
  ]),
};

export const anthropicMessages: WireApiReader = {
  api: 'anthropic.messages',
  operation: 'chat',
  provider: 'anthropic',
  matches: ({ path }) => path.endsWith('/v1/messages'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content } = context;
  const request = call.request;

  function setParameters(body: JsonObject): void {
    setField(request, 'model', asName(body.model));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    setField(request, 'maxTokens', asCount(body.max_tokens));
    setField(request, 'temperature', asNumber(body.temperature));
    setField(request, 'topP', asNumber(body.top_p));
    setField(request, 'topK', asNumber(body.top_k));
    setField(request, 'stopSequences', asTexts(body.stop_sequences));
    setField(request, 'serviceTier', asName(body.service_tier));
    setField(request, 'reasoningLevel', asName(asObject(body.output_config)?.effort));
    const format = asObject(body.output_format) ?? asObject(asObject(body.output_config)?.format);
    setField(request, 'outputType', format?.type === 'json_schema' ? 'json' : undefined);
    if (content.isOn) {
      request.systemInstructions = partsOf(readBlocks(body.system), content);
    }
  }

  /** The path alone is too common a one; the API's own header or host vouch for it too. */
  function isAddressed(): boolean {
    return (
      target.host === 'api.anthropic.com' ||
      target.request.headers.get('anthropic-version') !== undefined
    );
  }

  return readConversationRequest(context, {
    plan: REQUEST_PLAN,
    planWithContent: REQUEST_PLAN_WITH_CONTENT,
    readMessage: readAnthropicMessage,
    addTool,
    end(body, isWhole) {
      setParameters(body);
      if (isAddressed()) {
        return true;
      }
      const isNamed = request.model !== undefined || request.maxTokens !== undefined;
      return isNamed && (Array.isArray(body.messages) || !isWhole);
    },
  });
}

function addTool(context: CallContext, value: unknown): void {
  const tool = asObject(value);
  if (tool === undefined) {
    return;
  }
  // The provider's own tools are told apart by their types; a client's tool has none, or `custom`.
  const type = asName(tool.type);
  const isOwn = type === undefined || type === 'custom';
  addToolDefinition(context, isOwn ? 'function' : type, tool, 'input_schema');
}

/** A content block of a stream that is still open. */
interface OpenBlock {
  kind: 'text' | 'reasoning' | 'tool' | 'whole';
  textSlot?: NonNullable<ReturnType<Choice['beginText']>>;
  tool?: ToolSlot;
  /** What came with the block's start: a tool's whole input, or a whole block of another kind. */
  start: JsonObject;
  /** JSON pieces of the input of a tool that the provider runs itself. */
  input?: KeptText;
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const usage = createAnthropicUsage();
  const blocks = new Map<number, OpenBlock>();
  const template = createDeltaTemplate();
  /** The block that the template's text goes to. */
  let templateBlock: OpenBlock | undefined;
  let isDone = false;
  let hasGap = false;

  function addUsage(value: unknown): void {
    usage.add(value);
    const counts = usage.read();
    if (counts !== undefined) {
      answer.response.usage = counts;
      answer.setServiceTier(asObject(value)?.service_tier);
      const priceTiers = usage.priceTiers();
      if (priceTiers.length > 0) {
        answer.response.priceTiers = priceTiers;
      }
      answer.response.hasUncountedRuns = usage.hasUncountedRuns();
    }
  }

  function readHead(message: JsonObject): void {
    answer.setId(message.id);
    answer.setModel(message.model);
    addUsage(message.usage);
  }

  function setStopReason(choice: Choice | undefined, reason: unknown): void {
    const name = asName(reason);
    if (choice !== undefined && name !== undefined) {
      choice.finishReason = name;
    }
  }

  function start(index: number, block: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    if (choice === undefined) {
      return;
    }
    if (blocks.size >= limits.maxParts) {
      call.damage.add('limit');
      return;
    }
    const open: OpenBlock = { kind: 'whole', start: block };
    switch (block.type) {
      case 'text':
        openText(choice, open, 'text', block.text, timeNs);
        break;
      case 'thinking':
        openText(choice, open, 'reasoning', block.thinking, timeNs);
        break;
      case 'tool_use': {
        open.kind = 'tool';
        const tool = choice.beginToolCall(asName(block.id), textPrefix(block.name) ?? '', timeNs);
        if (tool !== undefined) {
          open.tool = tool;
        }
        break;
      }
      default:
        break;
    }
    blocks.set(index, open);
  }

  function openText(
    choice: Choice,
    open: OpenBlock,
    kind: 'text' | 'reasoning',
    text: unknown,
    timeNs: bigint,
  ): void {
    open.kind = kind;
    const slot = choice.beginText(kind);
    if (slot === undefined) {
      return;
    }
    open.textSlot = slot;
    choice.append(slot, textPrefix(text) ?? '', timeNs);
  }

  function appendText(open: OpenBlock, text: unknown, timeNs: bigint): void {
    if (typeof text === 'string' && open.textSlot !== undefined) {
      answer.choice(0)?.append(open.textSlot, text, timeNs);
    }
  }

  /** Gives the block when the delta did nothing but append to its text or its tool's arguments. */
  function delta(index: number, value: JsonObject, timeNs: bigint): OpenBlock | undefined {
    const open = blocks.get(index) ?? blockAfterGap(index, value.type, timeNs);
    if (open === undefined) {
      return undefined;
    }
    switch (value.type) {
      case 'text_delta':
        appendText(open, value.text, timeNs);
        return open.textSlot === undefined ? undefined : open;
      case 'thinking_delta':
        appendText(open, value.thinking, timeNs);
        return open.textSlot === undefined ? undefined : open;
      case 'input_json_delta': {
        const piece = textPrefix(value.partial_json) ?? '';
        if (open.tool !== undefined) {
          answer.choice(0)?.appendArguments(open.tool, piece, timeNs, true);
          return open;
        }
        open.input ??= new KeptText(limits.maxArgumentBytes);
        if (!open.input.append(piece)) {
          call.damage.add('limit');
        }
        return undefined;
      }
      default:
        return undefined;
    }
  }

  /** A text whose beginning was lost is a text of its own; arguments without their beginning are nothing. */
  function blockAfterGap(index: number, type: unknown, timeNs: bigint): OpenBlock | undefined {
    if (!hasGap || (type !== 'text_delta' && type !== 'thinking_delta')) {
      return undefined;
    }
    start(index, { type: type === 'text_delta' ? 'text' : 'thinking' }, timeNs);
    return blocks.get(index);
  }

  function stop(index: number, timeNs: bigint): void {
    const open = blocks.get(index);
    const choice = answer.choice(0);
    blocks.delete(index);
    if (open === undefined || choice === undefined) {
      return;
    }
    if (open === templateBlock) {
      templateBlock = undefined;
    }
    if (open.tool !== undefined) {
      completeTool(choice, open.tool, open.start, timeNs);
    } else if (open.kind === 'whole') {
      addWhole(choice, open, timeNs);
    }
  }

  function addWhole(choice: Choice, { start: block, input }: OpenBlock, timeNs: bigint): void {
    const item = readBlock(input === undefined ? block : { ...block, input: input.toString() });
    if (item?.kind === 'other' && input?.isCut === true) {
      item.isCut = true;
    }
    if (item !== undefined) {
      choice.addItem(item, timeNs);
    }
  }

  function completeTool(choice: Choice, tool: ToolSlot, block: JsonObject, timeNs: bigint): void {
    if (tool.argumentsText.bytes === 0 && block.input !== undefined) {
      // No pieces: the input that came with the start is all of it, mostly `{}`.
      choice.appendArguments(tool, JSON.stringify(block.input), timeNs, false);
    }
    if (!tool.isTorn) {
      tool.timeNs = timeNs;
    }
    choice.completeToolCall(tool);
  }

  function readMessageStart(message: JsonObject, timeNs: bigint): void {
    readHead(message);
    const choice = answer.choice(0);
    const role = asName(message.role);
    if (choice !== undefined && role !== undefined) {
      choice.role = role;
    }
    for (const item of readBlocks(message.content)) {
      choice?.addItem(item, timeNs);
    }
    setStopReason(choice, message.stop_reason);
  }

  function readEvent(type: unknown, root: JsonObject, data: string, timeNs: bigint): void {
    switch (type) {
      case 'message_start':
        readMessageStart(asObject(root.message) ?? {}, timeNs);
        return;
      case 'content_block_start':
        start(asCount(root.index) ?? 0, asObject(root.content_block) ?? {}, timeNs);
        return;
      case 'content_block_delta': {
        const value = asObject(root.delta) ?? {};
        const open = delta(asCount(root.index) ?? 0, value, timeNs);
        const member = memberOf(value.type);
        const textOf = (parsed: unknown) => asObject(asObject(parsed)?.delta)?.[member ?? ''];
        if (open !== undefined && member !== undefined && template.learn(data, member, textOf)) {
          templateBlock = open;
        }
        return;
      }
      case 'content_block_stop':
        stop(asCount(root.index) ?? 0, timeNs);
        return;
      case 'message_delta':
        setStopReason(answer.choice(0), asObject(root.delta)?.stop_reason);
        addUsage(root.usage);
        return;
      case 'message_stop':
        isDone = true;
        return;
      case 'error':
        answer.failBy(root, true);
        return;
      default:
        // `ping`, and events that are newer than this.
        answer.failBy(root, false);
    }
  }

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const body = asObject(root);
      const isFailed = (call.httpStatus ?? 0) >= 400 || body?.type === 'error';
      if (isFailed || body?.error !== undefined) {
        answer.failBy(root, isFailed);
        return;
      }
      if (body === undefined) {
        return;
      }
      const choice = answer.choice(0);
      if (choice !== undefined) {
        choice.role = asName(body.role) ?? 'assistant';
        const items = readBlocks(body.content);
        items.forEach((item, position) => {
          const isTorn = !isWhole && position === items.length - 1;
          choice.addItem(item, timeNs, isTorn);
        });
        setStopReason(choice, body.stop_reason);
      }
      readHead(body);
    },
    event(name, data, timeNs) {
      if (isDone) {
        return true;
      }
      const text = templateBlock === undefined ? undefined : template.match(data);
      if (text !== undefined) {
        appendTemplate(templateBlock!, text, timeNs);
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      readEvent(name === 'error' ? name : (root.type ?? name), root, data, timeNs);
      return true;
    },
    gap() {
      hasGap = true;
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
      // What is open may have ended in the hole and another block begun: later pieces are not added to it.
      blocks.clear();
      templateBlock = undefined;
    },
    get isDone() {
      return isDone;
    },
  };

  /** The same as `delta` does with a parsed event of the template's kind. */
  function appendTemplate(open: OpenBlock, text: string, timeNs: bigint): void {
    if (open.textSlot !== undefined) {
      appendText(open, text, timeNs);
    } else if (open.tool !== undefined) {
      answer.choice(0)?.appendArguments(open.tool, text, timeNs, true);
    }
  }
}

/** The member that holds a delta's text. */
function memberOf(deltaType: unknown): string | undefined {
  switch (deltaType) {
    case 'text_delta':
      return 'text';
    case 'thinking_delta':
      return 'thinking';
    case 'input_json_delta':
      return 'partial_json';
    default:
      return undefined;
  }
}
