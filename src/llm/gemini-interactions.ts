/**
 * The interactions of Gemini, with models and with agents that the service runs.
 * https://ai.google.dev/api/interactions-api and https://ai.google.dev/gemini-api/docs/interactions/streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { createInteractionEvents } from './gemini-interaction-events.ts';
import { GEMINI_STEP_PLAN, readAnsweredStep, readGeminiStep } from './gemini-step.ts';
import { setGoogleProvider } from './gemini-target.ts';
import { INTERACTION_USAGE_PLAN } from './gemini-usage.ts';
import {
  asArray,
  asCount,
  asName,
  asNumber,
  asObject,
  asTexts,
  type JsonObject,
} from './json-access.ts';
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
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };

function plan(...members: readonly (readonly [string, JsonPlan])[]): JsonPlan {
  return { keep: 'all', fields: new Map(members) };
}

const FORMAT = plan(['type', ALL], ['mime_type', ALL], ['schema', plan()]);

function requestPlan(isContentOn: boolean): JsonPlan {
  return plan(
    ['model', ALL],
    ['agent', ALL],
    ['stream', ALL],
    ['background', ALL],
    ['previous_interaction_id', ALL],
    ['continuation_token', plan()],
    ['service_tier', ALL],
    [
      'generation_config',
      plan(
        ['max_output_tokens', ALL],
        ['temperature', ALL],
        ['top_p', ALL],
        ['seed', ALL],
        ['stop_sequences', ALL],
        ['thinking_level', ALL],
      ),
    ],
    ['response_format', { ...FORMAT, items: FORMAT }],
    ['response_mime_type', ALL],
    ['response_modalities', ALL],
    ['system_instruction', isContentOn ? { keep: 'text' } : { keep: 'skip' }],
    ['input', { ...GEMINI_STEP_PLAN, keep: 'text', emit: 'step', items: GEMINI_STEP_PLAN }],
    ['tools', { keep: 'all', emit: 'tool', items: toolDefinitionPlan('parameters', isContentOn) }],
  );
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const STEPS: JsonPlan = { keep: 'all', items: GEMINI_STEP_PLAN };

const ANSWER_PLAN: JsonPlan = plan(
  ['id', ALL],
  ['model', ALL],
  ['status', ALL],
  ['service_tier', ALL],
  ['steps', STEPS],
  // Models of music answer with contents.
  ['outputs', STEPS],
  ['usage', INTERACTION_USAGE_PLAN],
  ['errors', ALL],
  ['error', ALL],
  ['message', ALL],
  ['code', ALL],
);
// Google answers errors as a list of one, too.
ANSWER_PLAN.items = ANSWER_PLAN;

export const geminiInteractions: WireApiReader = {
  api: 'gemini.interactions',
  operation: 'generate_content',
  provider: 'gcp.gemini',
  matches: ({ path }) => path.endsWith('/interactions'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content, limits } = context;
  const request = call.request;
  const messages = createRequestMessages(context, (value) => value as WireMessage);
  /** Steps that are one message are kept until something else follows. */
  let open: WireMessage | undefined;
  let hasInput = false;
  let isTorn = false;
  setGoogleProvider(call, target.path, target.host);

  function flush(): void {
    if (open !== undefined && !isTorn) {
      messages.add(open, true);
    }
    open = undefined;
  }

  function addStep(value: unknown, isWhole: boolean): void {
    hasInput = true;
    isTorn ||= !isWhole;
    if (isTorn) {
      return;
    }
    const { role, items } = readGeminiStep(value);
    if (open?.role !== role || isMessage(value, role)) {
      flush();
      open = { role, items };
    } else if (open.items.length + items.length > limits.maxParts) {
      call.damage.add('limit');
    } else {
      open.items.push(...items);
    }
  }

  function addTool(value: unknown): void {
    const tool = asObject(value) ?? {};
    addToolDefinition(context, asName(tool.type) ?? 'function', tool, 'parameters');
  }

  function setParameters(body: JsonObject): void {
    const config = asObject(body.generation_config) ?? {};
    setField(request, 'model', asName(body.model));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    setField(request, 'isBackground', body.background === true || undefined);
    setField(request, 'previousResponseId', asName(body.previous_interaction_id));
    setField(request, 'serviceTier', asName(body.service_tier));
    setField(request, 'maxTokens', asCount(config.max_output_tokens));
    setField(request, 'temperature', asNumber(config.temperature));
    setField(request, 'topP', asNumber(config.top_p));
    setField(request, 'seed', asNumber(config.seed));
    setField(request, 'stopSequences', asTexts(config.stop_sequences));
    setField(request, 'reasoningLevel', asName(config.thinking_level));
    setField(request, 'outputType', outputType(body));
    const instruction = body.system_instruction;
    if (content.isOn && textPrefix(instruction)) {
      const item: WireItem = { kind: 'text', text: instruction as string };
      request.systemInstructions.push(...partsOf([item], content));
    }
  }

  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'step') {
        addStep(value, isWhole);
      } else {
        addTool(value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      // A body that broke off may have broken off within its last text.
      isTorn ||= !isWhole;
      flush();
      setParameters(body);
      const { input } = body;
      if (textPrefix(input) !== undefined) {
        const items: WireItem[] = [{ kind: 'text', text: input as string }];
        messages.add({ role: 'user', items }, !isTorn);
      } else if (asObject(input) !== undefined) {
        messages.add(readGeminiStep(input), !isTorn);
      }
      // The path alone is a common one.
      const isNamed = request.model !== undefined || asName(body.agent) !== undefined;
      if (!isWhole) {
        return isNamed || !context.isProviderAssumed();
      }
      const goesOn = request.previousResponseId !== undefined || 'continuation_token' in body;
      return isNamed && (hasInput || 'input' in body || goesOn);
    },
  };
}

/** A step that is a message by itself. The steps of an answer are one together, and so are contents without a step. */
function isMessage(step: unknown, role: string): boolean {
  const type = asObject(step)?.type;
  return type === undefined || type === 'user_input' || role === 'tool';
}

function outputType(body: JsonObject): string | undefined {
  const formats = (asArray(body.response_format) ?? [body.response_format]).map(formatOf);
  const modalities = asArray(body.response_modalities) ?? [];
  const found = [...formats, ...modalities.map(modalityOf), mimeTypeOf(body.response_mime_type)];
  return ['image', 'speech', 'json', 'text'].find((type) => found.includes(type));
}

/** Of one that the request asks for; a JSON schema may stand there by itself. */
function formatOf(value: unknown): string | undefined {
  const format = asObject(value);
  switch (format?.type) {
    case undefined:
      return undefined;
    case 'text':
      return format.schema === undefined ? (mimeTypeOf(format.mime_type) ?? 'text') : 'json';
    case 'image':
    case 'audio':
      return modalityOf(format.type);
    case 'video':
      return undefined;
    default:
      return 'json';
  }
}

function modalityOf(value: unknown): string | undefined {
  switch (value) {
    case 'image':
      return 'image';
    case 'audio':
      return 'speech';
    default:
      return undefined;
  }
}

function mimeTypeOf(value: unknown): string | undefined {
  switch (value) {
    case 'application/json':
      return 'json';
    case 'text/plain':
      return 'text';
    default:
      return undefined;
  }
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  const events = createInteractionEvents(context, answer);

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const body = asObject(root);
      answer.failBy(root, isRefused);
      if (body === undefined || isRefused) {
        return;
      }
      const steps = asArray(body.steps) ?? asArray(body.outputs) ?? [];
      steps.forEach((value, position) => {
        const isTorn = !isWhole && position === steps.length - 1;
        if (isTorn && asName(asObject(value)?.type) === undefined) {
          // What it is may be what is missing.
          return;
        }
        for (const item of readAnsweredStep(value)) {
          answer.choice(0)?.addItem(item, timeNs, isTorn);
        }
      });
      events.head(body);
      events.status(body);
    },
    event: (name, data, timeNs) => events.read(name, data, timeNs),
    gap: () => events.gap(),
    get isDone() {
      return events.isDone;
    },
  };
}
