/**
 * generateContent and streamGenerateContent of the Gemini API, of Vertex AI and of whoever speaks them.
 * https://ai.google.dev/api/generate-content
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import {
  GEMINI_CONTENT_PLAN,
  GEMINI_RECORD_CONTENT_PLAN,
  geminiRole,
  readGeminiContent,
  readGeminiPart,
  readGeminiParts,
} from './gemini-content.ts';
import { addPartialArguments } from './gemini-partial-arguments.ts';
import { geminiTargetOf, setGoogleProvider } from './gemini-target.ts';
import { GEMINI_USAGE_PLAN, readGeminiUsage } from './gemini-usage.ts';
import { createGrowingText, type GrowingText } from './growing-text.ts';
import {
  asArray,
  asCount,
  asName,
  asNumber,
  asObject,
  asTexts,
  type JsonObject,
} from './json-access.ts';
import { type RecordPlan, readRecord } from './record-json.ts';
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
import { partsOf } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const NAME_ONLY: JsonPlan = { keep: 'all', fields: new Map() };

/** A tool is an object with the functions of the client, or with a member named like the provider's own tool. */
function toolPlan(isContentOn: boolean): JsonPlan {
  const declarations: JsonPlan = {
    keep: 'all',
    items: {
      keep: 'all',
      fields: new Map([
        ...toolDefinitionPlan('parameters', isContentOn).fields!,
        ...toolDefinitionPlan('parametersJsonSchema', isContentOn).fields!,
      ]),
    },
  };
  return {
    keep: 'all',
    fields: new Map([
      ['functionDeclarations', declarations],
      ['function_declarations', declarations],
    ]),
    other: NAME_ONLY,
  };
}

/** `responseSchema` and the like only say by being there that JSON is asked for. */
const GENERATION_CONFIG: JsonPlan = {
  keep: 'all',
  other: ALL,
  fields: new Map<string, JsonPlan>([
    ['responseSchema', NAME_ONLY],
    ['responseJsonSchema', NAME_ONLY],
    ['response_schema', NAME_ONLY],
  ]),
};

function requestPlan(isContentOn: boolean): JsonPlan {
  const instruction: JsonPlan = isContentOn ? GEMINI_CONTENT_PLAN : { keep: 'skip' };
  const fields = new Map<string, JsonPlan>([
    ['model', ALL],
    [
      'contents',
      {
        keep: 'text',
        emit: 'content',
        items: GEMINI_CONTENT_PLAN,
        fields: GEMINI_CONTENT_PLAN.fields!,
      },
    ],
    ['systemInstruction', instruction],
    ['system_instruction', instruction],
    ['tools', { keep: 'all', emit: 'tool', items: toolPlan(isContentOn) }],
    ['generationConfig', GENERATION_CONFIG],
    ['generation_config', GENERATION_CONFIG],
  ]);
  const plan: JsonPlan = { keep: 'all', fields };
  // Google's own command line client sends the request inside another object.
  fields.set('request', plan);
  return plan;
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

function answerPlan(content: JsonPlan, other: JsonPlan | undefined): JsonPlan {
  const rest = other === undefined ? {} : { other };
  const candidate: JsonPlan = {
    keep: 'all',
    ...rest,
    fields: new Map<string, JsonPlan>([
      ['index', ALL],
      ['content', content],
      ['finishReason', ALL],
    ]),
  };
  const fields = new Map<string, JsonPlan>([
    ['candidates', { keep: 'all', items: candidate }],
    ['usageMetadata', GEMINI_USAGE_PLAN],
    ['modelVersion', ALL],
    ['responseId', ALL],
    ['promptFeedback', ALL],
    ['error', ALL],
  ]);
  const plan: JsonPlan = { keep: 'all', ...rest, fields };
  fields.set('response', plan);
  return plan;
}

const ANSWER_PLAN = answerPlan(GEMINI_CONTENT_PLAN, undefined);
// Errors come as a list of one, and streams without `alt=sse` as a list.
ANSWER_PLAN.items = ANSWER_PLAN;

const RECORD: RecordPlan = {
  mark: '"functionCall"',
  plan: answerPlan(GEMINI_RECORD_CONTENT_PLAN, ALL),
};

export const geminiGenerateContent: WireApiReader = {
  api: 'gemini.generate_content',
  operation: 'generate_content',
  provider: 'gcp.gemini',
  matches: ({ path }) => /:(?:generateContent|streamGenerateContent)$/.test(path),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content } = context;
  const request = call.request;
  const messages = createRequestMessages(context, readGeminiContent);
  const addressed = geminiTargetOf(target.path);
  setGoogleProvider(call, target.path, target.host);

  function define(type: string, tool: JsonObject): void {
    const schema = tool.parameters === undefined ? 'parametersJsonSchema' : 'parameters';
    addToolDefinition(context, type, tool, schema);
  }

  function addTool(value: unknown): void {
    const tool = asObject(value) ?? {};
    for (const member of Object.keys(tool)) {
      if (member !== 'functionDeclarations' && member !== 'function_declarations') {
        define(member, { name: member });
        continue;
      }
      for (const declaration of asArray(tool[member]) ?? []) {
        define('function', asObject(declaration) ?? {});
      }
    }
  }

  function setParameters(body: JsonObject): void {
    const config = asObject(body.generationConfig ?? body.generation_config) ?? {};
    const given = (camel: string, snake: string): unknown => config[camel] ?? config[snake];
    setField(request, 'maxTokens', asCount(given('maxOutputTokens', 'max_output_tokens')));
    setField(request, 'temperature', asNumber(config.temperature));
    setField(request, 'topP', asNumber(given('topP', 'top_p')));
    setField(request, 'topK', asNumber(given('topK', 'top_k')));
    setField(request, 'choiceCount', asCount(given('candidateCount', 'candidate_count')));
    setField(request, 'frequencyPenalty', asNumber(given('frequencyPenalty', 'frequency_penalty')));
    setField(request, 'presencePenalty', asNumber(given('presencePenalty', 'presence_penalty')));
    setField(request, 'seed', asNumber(config.seed));
    setField(request, 'stopSequences', asTexts(given('stopSequences', 'stop_sequences')));
    setField(request, 'outputType', outputType(config));
    const thinking = asObject(given('thinkingConfig', 'thinking_config'));
    setField(
      request,
      'reasoningLevel',
      asName(thinking?.thinkingLevel ?? thinking?.thinking_level),
    );
    const instruction = body.systemInstruction ?? body.system_instruction;
    if (content.isOn && instruction !== undefined) {
      const parts = asObject(instruction)?.parts ?? instruction;
      request.systemInstructions = partsOf(readGeminiParts(parts), content);
    }
    // The list's items came one by one; one content may stand there without a list.
    if (asObject(body.contents) !== undefined) {
      messages.add(body.contents, true);
    }
  }

  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'content') {
        messages.add(value, isWhole);
      } else {
        addTool(value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root);
      const model = addressed?.model ?? asName(body?.model);
      setField(request, 'model', model);
      setField(request, 'stream', addressed?.method === 'streamGenerateContent' || undefined);
      const inner = asObject(body?.request) ?? body;
      if (inner !== undefined) {
        setParameters(inner);
      }
      return !isWhole || (inner !== undefined && 'contents' in inner);
    },
  };
}

function outputType(config: JsonObject): string | undefined {
  const modalities = asArray(config.responseModalities ?? config.response_modalities) ?? [];
  if (modalities.includes('IMAGE')) {
    return 'image';
  }
  if (modalities.includes('AUDIO')) {
    return 'speech';
  }
  switch (config.responseMimeType ?? config.response_mime_type) {
    case 'application/json':
    case 'text/x.enum':
      return 'json';
    case 'text/plain':
      return 'text';
    default:
      return undefined;
  }
}

/** The numbers that some endpoints send instead of the names, as far as all of them agree. */
const FINISH_REASONS: readonly (string | undefined)[] = [
  undefined,
  'STOP',
  'MAX_TOKENS',
  'SAFETY',
  'RECITATION',
  'OTHER',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MALFORMED_FUNCTION_CALL',
];

function finishReason(value: unknown): string | undefined {
  const number = asCount(value);
  if (number !== undefined) {
    return number === 0 ? undefined : (FINISH_REASONS[number] ?? String(number));
  }
  const name = asName(value);
  return name === 'FINISH_REASON_UNSPECIFIED' ? undefined : name;
}

interface PartialCall {
  tool: ToolSlot;
  args: JsonObject;
  /** Length of the pieces so far. */
  chars: number;
  isWhole: boolean;
}

/** What a stream's candidate has grown so far. */
interface Candidate {
  choice: Choice;
  text: GrowingText;
  /** A function call whose arguments still come in pieces. */
  partial?: PartialCall | undefined;
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const candidates = new Map<number, Candidate>();

  function candidateAt(index: number): Candidate | undefined {
    let known = candidates.get(index);
    if (known === undefined) {
      const choice = answer.choice(index);
      if (choice === undefined) {
        return undefined;
      }
      known = { choice, text: createGrowingText() };
      candidates.set(index, known);
    }
    return known;
  }

  function readHead(root: JsonObject): void {
    answer.setId(root.responseId);
    answer.setModel(root.modelVersion);
    const usage = readGeminiUsage(root.usageMetadata);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
    const feedback = asObject(root.promptFeedback);
    const reason = asName(feedback?.blockReason);
    if (reason !== undefined) {
      answer.fail(reason, asName(feedback?.blockReasonMessage));
    }
  }

  function addStreamedPart(candidate: Candidate, part: JsonObject, timeNs: bigint): void {
    const called = asObject(part.functionCall ?? part.function_call);
    if (called !== undefined && (isPartial(called) || called.name === undefined)) {
      addPartialCall(candidate, called, timeNs);
      return;
    }
    const item = readGeminiPart(part);
    if (item === undefined) {
      return;
    }
    if ((item.kind === 'text' || item.kind === 'reasoning') && typeof item.text === 'string') {
      candidate.text.append(candidate.choice, item.kind, item.text, timeNs);
      return;
    }
    candidate.text.close();
    candidate.choice.addItem(item, timeNs);
  }

  function addPartialCall(candidate: Candidate, called: JsonObject, timeNs: bigint): void {
    const { choice } = candidate;
    candidate.text.close();
    const name = asName(called.name);
    if (name !== undefined) {
      // Only the first piece has a name.
      const begun = choice.beginToolCall(asName(called.id), name, timeNs);
      candidate.partial = begun && { tool: begun, args: {}, chars: 0, isWhole: true };
    }
    const { partial } = candidate;
    if (partial === undefined) {
      return;
    }
    partial.chars += JSON.stringify(called.partialArgs ?? []).length;
    if (partial.chars > limits.maxArgumentBytes) {
      call.damage.add('limit');
    } else {
      partial.isWhole = addPartialArguments(partial.args, called.partialArgs) && partial.isWhole;
    }
    if (called.willContinue === true) {
      return;
    }
    candidate.partial = undefined;
    if (!partial.isWhole) {
      call.damage.add('decode-error');
    }
    choice.appendArguments(partial.tool, JSON.stringify(partial.args), timeNs, true);
    choice.completeToolCall(partial.tool);
  }

  /** A whole answer, or one chunk of a stream: they have the same shape. */
  function readChunk(root: JsonObject, how: 'whole' | 'torn' | 'streamed', timeNs: bigint): void {
    const list = asArray(root.candidates) ?? [];
    list.forEach((value, position) => {
      const read = asObject(value) ?? {};
      const candidate = candidateAt(asCount(read.index) ?? position);
      if (candidate === undefined) {
        return;
      }
      const content = asObject(read.content);
      if (content?.role !== undefined) {
        candidate.choice.role = geminiRole(content.role);
      }
      const parts = asArray(content?.parts) ?? [];
      parts.forEach((entry, partPosition) => {
        const part = asObject(entry) ?? {};
        if (how === 'streamed') {
          addStreamedPart(candidate, part, timeNs);
          return;
        }
        const isLast = position === list.length - 1 && partPosition === parts.length - 1;
        const item = readGeminiPart(part);
        if (item !== undefined) {
          candidate.choice.addItem(item, timeNs, how === 'torn' && isLast);
        }
      });
      const reason = finishReason(read.finishReason);
      if (reason !== undefined) {
        candidate.choice.finishReason = reason;
      }
    });
    readHead(root);
  }

  return {
    plan: ANSWER_PLAN,
    formatOf(seen) {
      switch (seen) {
        case 'json-array':
          // A refused request is answered by a list with the error in it.
          return (call.httpStatus ?? 0) >= 400 ? 'json' : 'json-array';
        case 'json':
        case 'ndjson':
          return 'json';
        case 'sse':
          return 'sse';
        default:
          return 'other';
      }
    },
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      if (answer.failBy(root, isRefused) || isRefused) {
        return;
      }
      for (const entry of asArray(root) ?? [root]) {
        const body = asObject(entry);
        if (body !== undefined) {
          readChunk(asObject(body.response) ?? body, isWhole ? 'whole' : 'torn', timeNs);
        }
      }
    },
    event(_name, data, timeNs) {
      const root = readRecord(data, RECORD, limits);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      if (!answer.failBy(root, false)) {
        readChunk(asObject(root.response) ?? root, 'streamed', timeNs);
      }
      return true;
    },
    gap() {
      for (const candidate of candidates.values()) {
        candidate.text.close();
        candidate.partial = undefined;
        candidate.choice.tear();
      }
    },
    // The end is not marked: chunks with sources may follow the finish reason.
    isDone: false,
    mayEnd: () => answer.isFinished,
  };
}

/** Whether more of the call's arguments come, or some of them come as pieces. */
function isPartial(called: JsonObject): boolean {
  return called.willContinue === true || called.partialArgs !== undefined;
}
