/** Finds the provider's own words for an error in a JSON body or a stream's event, in all the shapes seen. */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import { asArray, asObject, type JsonObject } from './json-access.ts';

export interface ProviderError {
  /** The provider's code; undefined when it gives none that could be a name. */
  type?: string;
  message?: string;
}

/** Members of an answer in which OpenAI's APIs, and those who speak them, tell of an error. */
export const ERROR_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  'error',
  'message',
  'detail',
  'code',
  'type',
].map((name) => [name, { keep: 'all' }]);

/** A code, not a sentence: error.type must be of low cardinality. */
const CODE = /^[A-Za-z0-9_.:-]{1,100}$/;

const MAX_MESSAGE_CHARS = 2000;

/**
 * The error in `root`: `{error: {type, code, message}}` (OpenAI, Anthropic, most), `{error: "…"}` (xAI, Ollama),
 * `[{error: …}]` (Google), and in the body of a failed request also without a member `error` (Mistral, FastAPI).
 */
export function errorOf(root: unknown, isFailedRequest: boolean): ProviderError | undefined {
  const object = asObject(root) ?? asObject(asArray(root)?.[0]);
  if (object === undefined) {
    return undefined;
  }
  const error = object.error;
  const inner = asObject(error);
  if (inner !== undefined) {
    return providerError(inner, textPrefix(inner.message));
  }
  const sentence = textPrefix(error);
  if (sentence !== undefined && sentence.length > 0) {
    return providerError(object, sentence);
  }
  if (!isFailedRequest) {
    return undefined;
  }
  return providerError(object, textPrefix(object.message) ?? textPrefix(object.detail));
}

function providerError(object: JsonObject, message: string | undefined): ProviderError {
  const error: ProviderError = {};
  const type =
    asCode(object.code) ??
    asCode(object.type) ??
    asCode(object.error_type) ??
    asCode(object.status) ??
    numericCode(object.code);
  if (type !== undefined) {
    error.type = type;
  }
  if (message !== undefined && message.length > 0) {
    error.message = message.slice(0, MAX_MESSAGE_CHARS);
  }
  return error;
}

/** `error` is what Anthropic and Mistral call every error body: it names nothing. */
function asCode(value: unknown): string | undefined {
  return typeof value === 'string' && value !== 'error' && CODE.test(value) ? value : undefined;
}

function numericCode(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
}
