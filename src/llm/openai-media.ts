/**
 * Pictures and sound of OpenAI, Azure, Groq and everyone who speaks their APIs: made from a prompt or a text, changed,
 * or written down as text. The prompt, the pictures, the sound and what was said in it are never kept.
 * https://platform.openai.com/docs/api-reference/images and …/audio
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { deploymentOf } from './azure-deployment.ts';
import {
  asCount,
  asName,
  asNumber,
  asObject,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { readPlainAnswer } from './openai-plain-answer.ts';
import { readOpenAiUsage } from './openai-usage.ts';
import { setField } from './set-field.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';

const IMAGES = /\/images\/(?:generations|edits|variations)$/;
const AUDIO = /\/audio\/(?:speech|transcriptions|translations)$/;

/** Parameters, the same in a JSON body and in a form, where all of them are texts. */
const SCALARS = ['model', 'n', 'stream', 'stream_format', 'temperature'] as const;

/** What a request is about; one of them must be there. */
const SUBJECTS = ['prompt', 'input', 'image', 'images', 'image[]', 'file', 'url'] as const;

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...SCALARS.map((name): [string, JsonPlan] => [name, { keep: 'all' }]),
    // Only that they are there.
    ...SUBJECTS.map((name): [string, JsonPlan] => [
      name,
      { keep: 'text', fields: new Map(), items: { keep: 'skip' } },
    ]),
  ]),
};

export const openAiImages: WireApiReader = {
  api: 'openai.images',
  operation: 'generate_content',
  provider: 'openai',
  matches: ({ path }) => IMAGES.test(path),
  readRequest,
  readAnswer,
};

export const openAiAudio: WireApiReader = {
  api: 'openai.audio',
  operation: 'generate_content',
  provider: 'openai',
  matches: ({ path }) => AUDIO.test(path),
  readRequest,
  readAnswer,
};

function readRequest({ call }: CallContext, target: CallTarget): RequestReader {
  const { request } = call;
  const fields: JsonObject = {};
  let hasSubject = false;

  function setParameters(body: JsonObject): void {
    setField(request, 'model', asName(body.model) ?? deploymentOf(target.path));
    setField(request, 'choiceCount', asCount(numberOf(body.n)));
    setField(request, 'temperature', asNumber(numberOf(body.temperature)));
    const isStream = String(body.stream) === 'true' || body.stream_format === 'sse';
    setField(request, 'stream', isStream || undefined);
    setField(request, 'outputType', outputTypeOf(target.path));
  }

  return {
    plan: REQUEST_PLAN,
    item() {},
    field(name, value) {
      hasSubject ||= isSubject(name);
      if (SCALARS.some((scalar) => scalar === name)) {
        fields[name] = value;
      }
    },
    end(root, isWhole) {
      const body = asObject(root);
      setParameters(body ?? fields);
      hasSubject ||= body !== undefined && Object.keys(body).some(isSubject);
      return !isWhole || hasSubject;
    },
  };
}

function isSubject(name: string): boolean {
  return SUBJECTS.some((subject) => subject === name);
}

/** The number that a field of a form has as text. */
function numberOf(value: unknown): unknown {
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
}

function outputTypeOf(path: string): string {
  if (path.endsWith('/audio/speech')) {
    return 'speech';
  }
  return AUDIO.test(path) ? 'text' : 'image';
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const plain = readPlainAnswer(context, answer);
  let isOver = false;
  let isDone = false;

  return {
    plan: plain.plan,
    body: (root, isWhole, timeNs) => plain.body(root, isWhole, timeNs),
    // Sound, or a text without JSON around it (`response_format`: `text`, `srt`, `vtt`).
    isOpaque: (contentType) => !/^\s*(?:$|text\/event-stream|[^;]*json)/i.test(contentType),
    event(name, data, timeNs) {
      if (data.trim() === '[DONE]') {
        isDone = true;
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        return false;
      }
      const type = asName(root.type) ?? name;
      isOver = answer.failBy(root, type === 'error') || isOver;
      answer.setModel(root.model);
      const usage = readOpenAiUsage(root.usage);
      if (usage !== undefined) {
        answer.response.usage = usage;
      }
      // A picture comes once more with its end; of sound and text nothing new does.
      const isEnd = type.endsWith('.done') || type === 'error';
      isOver ||= isEnd || type.endsWith('.completed');
      if (!isEnd) {
        answer.touch(timeNs);
      }
      return true;
    },
    gap() {},
    get isDone() {
      return isDone;
    },
    mayEnd: () => isOver,
  };
}
