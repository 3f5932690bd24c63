/**
 * InvokeModel and InvokeModelWithResponseStream of Amazon Bedrock: the bodies are the models' own.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { ANTHROPIC_CONTENT_PLAN, readBlock } from './anthropic-message.ts';
import { anthropicMessages } from './anthropic-messages.ts';
import { CONVERSE_BLOCK_MEMBERS, readConverseBlock } from './bedrock-content.ts';
import {
  addConverseTool,
  bedrockFormatOf,
  converseToolPlan,
  readConverseAnswer,
  setInferenceConfig,
} from './bedrock-converse.ts';
import { readBedrockEmbeddings } from './bedrock-embeddings.ts';
import { failRefused, failStreamed } from './bedrock-error.ts';
import { bedrockTargetOf } from './bedrock-target.ts';
import { readBedrockText } from './bedrock-text.ts';
import { addHeaderCounts, addInvocationMetrics, INVOCATION_METRICS } from './bedrock-usage.ts';
import { cohereChatV1, cohereRole } from './cohere-chat-v1.ts';
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
import type { CallRequest } from './model-call.ts';
import { openAiChatCompletions } from './openai-chat-completions.ts';
import { asText, OPENAI_MESSAGE_PLAN, readOpenAiMessage } from './openai-message.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import {
  addNestedToolDefinition,
  addToolDefinition,
  toolDefinitionPlan,
} from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const NAME_ONLY: JsonPlan = { keep: 'all', fields: new Map() };
/** Only that it is there. */
const PRESENCE: JsonPlan = { keep: 'all', items: { keep: 'skip' }, fields: new Map() };

/** Blocks of Anthropic's models, of Amazon's, and of those that speak as OpenAI's do. */
const BLOCKS: JsonPlan = {
  ...ANTHROPIC_CONTENT_PLAN,
  items: {
    ...ANTHROPIC_CONTENT_PLAN.items!,
    fields: new Map([...CONVERSE_BLOCK_MEMBERS, ...ANTHROPIC_CONTENT_PLAN.items!.fields!]),
  },
};

const MESSAGE: JsonPlan = {
  keep: 'all',
  fields: new Map([...OPENAI_MESSAGE_PLAN.fields!, ['content', BLOCKS]]),
};

const PARAMETERS = [
  'max_tokens',
  'max_completion_tokens',
  'max_gen_len',
  'temperature',
  'top_p',
  'p',
  'top_k',
  'k',
  'stop',
  'stop_sequences',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'inferenceConfig',
  'textGenerationConfig',
  'dimensions',
  'normalize',
  'output_dimension',
  'embedding_types',
  'embeddingTypes',
  'anthropic_version',
  'schemaVersion',
  'taskType',
] as const;

function requestPlan(isContentOn: boolean): JsonPlan {
  const tool: JsonPlan = {
    keep: 'all',
    fields: new Map([
      ...toolDefinitionPlan('input_schema', isContentOn).fields!,
      ...toolDefinitionPlan('parameter_definitions', isContentOn).fields!,
      // Last: the nested shape is OpenAI's.
      ...toolDefinitionPlan('parameters', isContentOn).fields!,
    ]),
  };
  const converseTools: JsonPlan = {
    keep: 'all',
    emit: 'converse-tool',
    items: converseToolPlan(isContentOn),
  };
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ...PARAMETERS.map((name) => [name, ALL] as const),
      ['system', isContentOn ? BLOCKS : { keep: 'skip' }],
      ['messages', { keep: 'all', emit: 'message', items: MESSAGE }],
      ['chat_history', { keep: 'all', emit: 'history', items: MESSAGE_V1 }],
      ['tools', { keep: 'all', emit: 'tool', items: tool }],
      ['toolConfig', { keep: 'all', fields: new Map([['tools', converseTools]]) }],
      ['prompt', TEXT],
      ['inputText', TEXT],
      ['message', TEXT],
      ['texts', PRESENCE],
      ['inputs', PRESENCE],
      ['images', PRESENCE],
      ['inputImage', NAME_ONLY],
    ]),
  };
}

const MESSAGE_V1: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['role', ALL],
    ['message', TEXT],
  ]),
};

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const VECTOR_PARAMETERS = ['dimensions', 'normalize', 'embeddingTypes'] as const;
const GUARDRAIL_ACTION = 'amazon-bedrock-guardrailAction';

/** Whose shape the bodies have. */
type Family = 'anthropic' | 'nova' | 'openai' | 'cohere' | 'text' | 'embeddings';

/** Models that make images and videos: their calls say nothing that the conventions have a name for. */
const MAKES_MEDIA =
  /(?:^|[./])(?:stability\.|amazon\.(?:titan-image|nova-canvas|nova-reel)|twelvelabs\.)/;
const EMBEDS = /(?:^|[./])(?:amazon\.titan-embed|cohere\.embed|amazon\.nova-[^/]*embed)/;

export const bedrockInvokeModel: WireApiReader = {
  api: 'bedrock.invoke_model',
  operation: 'chat',
  provider: 'aws.bedrock',
  matches({ path }) {
    const target = bedrockTargetOf(path);
    return target?.method.startsWith('invoke') === true && !MAKES_MEDIA.test(target.model);
  },
  readRequest,
  readAnswer,
};

/** Told by the request, because an ARN does not always name the model; undefined: no run of a model. */
function familyOf(request: CallRequest, body: JsonObject): Family | undefined {
  const model = request.model ?? '';
  if (EMBEDS.test(model) || 'texts' in body || 'inputs' in body || 'inputImage' in body) {
    return 'embeddings';
  }
  if (model.includes('amazon.nova')) {
    return 'nova';
  }
  const isAnthropic = body.anthropic_version !== undefined || model.includes('anthropic.');
  if (Array.isArray(body.messages)) {
    const isNova = body.inferenceConfig !== undefined || body.schemaVersion !== undefined;
    return isAnthropic ? 'anthropic' : isNova ? 'nova' : 'openai';
  }
  if ('message' in body) {
    return 'cohere';
  }
  // Of Titan's, only an embedding has these.
  if ('inputText' in body && VECTOR_PARAMETERS.some((name) => name in body)) {
    return 'embeddings';
  }
  if ('prompt' in body || 'inputText' in body) {
    return 'text';
  }
  return isAnthropic ? 'anthropic' : undefined;
}

/** What a call's request told about its answer. */
const FAMILIES = new WeakMap<CallRequest, Family>();

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content } = context;
  const request = call.request;
  const messages = createRequestMessages(context, readMessage);
  const addressed = bedrockTargetOf(target.path);

  function addTool(value: unknown): void {
    const tool = asObject(value) ?? {};
    if (asObject(tool.function) !== undefined) {
      addNestedToolDefinition(context, tool);
      return;
    }
    const type = asName(tool.type);
    const isOwn = type === undefined || type === 'custom';
    const schema = 'parameter_definitions' in tool ? 'parameter_definitions' : 'input_schema';
    addToolDefinition(context, isOwn ? 'function' : type, tool, schema);
  }

  /** A prompt is what a person says to the model. */
  function addPrompt(body: JsonObject, isWhole: boolean): void {
    const prompt = body.prompt ?? body.inputText ?? body.message;
    if (asText(prompt) !== undefined) {
      messages.add({ role: 'user', content: prompt }, isWhole);
    }
  }

  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'message') {
        messages.add(value, isWhole);
      } else if (name === 'history') {
        const said = asObject(value);
        messages.add({ role: cohereRole(said?.role), content: said?.message }, isWhole);
      } else if (name === 'tool') {
        addTool(value);
      } else {
        addConverseTool(context, value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      setField(request, 'model', addressed?.model);
      const isStream = addressed?.method === 'invoke-with-response-stream';
      setField(request, 'stream', isStream || undefined);
      const headers = target.request.headers;
      setField(request, 'guardrailId', headers.get('x-amzn-bedrock-guardrailidentifier'));
      const family = familyOf(request, body);
      if (family === undefined && isWhole) {
        return false;
      }
      FAMILIES.set(request, family ?? 'openai');
      if (family === 'embeddings') {
        call.operation = 'embeddings';
      } else if (family === 'text') {
        call.operation = 'text_completion';
      }
      setParameters(request, body);
      if (family !== 'embeddings') {
        addPrompt(body, isWhole);
      }
      if (content.isOn) {
        request.systemInstructions = partsOf(readBlocks(body.system), content);
      }
      return true;
    },
  };
}

function setParameters(request: CallRequest, body: JsonObject): void {
  setInferenceConfig(request, body.inferenceConfig);
  const titan = asObject(body.textGenerationConfig);
  if (titan !== undefined) {
    setInferenceConfig(request, { ...titan, maxTokens: titan.maxTokenCount });
  }
  const limit =
    asCount(body.max_tokens) ?? asCount(body.max_completion_tokens) ?? asCount(body.max_gen_len);
  setField(request, 'maxTokens', limit);
  setField(request, 'temperature', asNumber(body.temperature));
  setField(request, 'topP', asNumber(body.top_p) ?? asNumber(body.p));
  setField(request, 'topK', asNumber(body.top_k) ?? asNumber(body.k));
  setField(request, 'seed', asNumber(body.seed));
  setField(request, 'frequencyPenalty', asNumber(body.frequency_penalty));
  setField(request, 'presencePenalty', asNumber(body.presence_penalty));
  setField(request, 'stopSequences', asTexts(body.stop_sequences ?? body.stop));
  setField(request, 'dimensionCount', asCount(body.dimensions) ?? asCount(body.output_dimension));
  setField(request, 'encodingFormats', asTexts(body.embedding_types ?? body.embeddingTypes));
}

/** A message in whichever of the shapes. */
function readMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  const role = textPrefix(message.role) ?? '';
  if (role === 'tool' || message.tool_calls !== undefined) {
    return readOpenAiMessage(message);
  }
  return { role, items: readBlocks(message.content) };
}

function readBlocks(content: unknown): WireItem[] {
  const text = asText(content);
  if (text !== undefined) {
    return [{ kind: 'text', text }];
  }
  const items: WireItem[] = [];
  for (const value of asArray(content) ?? []) {
    const block = asObject(value);
    // Only Amazon's own models do without a type.
    const item = block && (block.type === undefined ? readConverseBlock(block) : readBlock(block));
    if (item !== undefined) {
      items.push(item);
    }
  }
  return items;
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  let inner: AnswerReader | undefined;
  /** A guardrail answered in the model's place: its answer has no end of the model's own. */
  let hasIntervened = false;

  /** The reader of the model's own shape, which is known once the request is. */
  function own(): AnswerReader {
    inner ??= readerOf(FAMILIES.get(call.request) ?? 'openai', context, answer);
    return inner;
  }

  function readChunk(data: string, timeNs: bigint): boolean {
    const text = chunkText(data);
    if (text === undefined || !own().event('', text, timeNs)) {
      return false;
    }
    if (text.includes(INVOCATION_METRICS)) {
      addInvocationMetrics(answer, parseObject(text)?.[INVOCATION_METRICS]);
    }
    hasIntervened ||=
      text.includes(GUARDRAIL_ACTION) && parseObject(text)?.[GUARDRAIL_ACTION] === 'INTERVENED';
    return true;
  }

  return {
    get plan() {
      return withErrors(own().plan);
    },
    // The head counts tokens also where nothing of the body could be read.
    formatOf: (seen) => (seen === 'empty' ? 'json' : bedrockFormatOf(seen)),
    body(root, isWhole, timeNs) {
      if ((call.httpStatus ?? 0) >= 400) {
        failRefused(call, answer, root);
        return;
      }
      own().body(root, isWhole, timeNs);
      addHeaderCounts(answer, call.exchange.response?.headers);
    },
    event(name, data, timeNs, isFailure) {
      if (isFailure === true) {
        failStreamed(answer, name, data);
        return true;
      }
      // Events that are no chunk are newer than this.
      return name === 'chunk' || name === 'message' ? readChunk(data, timeNs) : true;
    },
    gap() {
      own().gap();
    },
    get isDone() {
      return inner?.isDone === true;
    },
    mayEnd: () => hasIntervened || own().mayEnd?.() === true,
  };
}

function readerOf(family: Family, context: CallContext, answer: Answer): AnswerReader {
  switch (family) {
    case 'anthropic':
      return anthropicMessages.readAnswer(context, answer);
    case 'nova':
      return readConverseAnswer(context, answer);
    case 'cohere':
      return cohereChatV1.readAnswer(context, answer);
    case 'text':
      return readBedrockText(answer);
    case 'embeddings':
      return readBedrockEmbeddings(answer);
    case 'openai':
      return openAiChatCompletions.readAnswer(context, answer);
  }
}

/** A refused request is answered in the service's own shape, whatever the model's is. */
function withErrors(plan: JsonPlan): JsonPlan {
  const errors = ['message', 'Message', '__type'].filter((name) => !plan.fields?.has(name));
  return {
    ...plan,
    fields: new Map([...(plan.fields ?? []), ...errors.map((name) => [name, ALL] as const)]),
  };
}

/** A chunk has the model's own JSON as base64; undefined when it has none. */
function chunkText(data: string): string | undefined {
  const bytes = parseObject(data)?.bytes;
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64').toString('utf8') : undefined;
}
