/**
 * Errors of Amazon Bedrock: of a refused request by a header, in a stream by the name of a message.
 * https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
 */
import { textPrefix } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { errorOf } from './error-body.ts';
import { asName, asObject, parseObject } from './json-access.ts';
import type { ModelCall } from './model-call.ts';

/** `ThrottlingException:http://…` and `com.amazonaws#ThrottlingException` are both sent. */
const NAME = /^(?:[^#]*#)?([A-Za-z0-9_.]{1,100})(?::|$)/;

export function failRefused(call: ModelCall, answer: Answer, root: unknown): void {
  const error = errorOf(root, true);
  const body = asObject(root);
  const named = call.exchange.response?.headers.get('x-amzn-errortype') ?? asName(body?.__type);
  answer.fail(NAME.exec(named ?? '')?.[1] ?? error?.type, error?.message ?? asName(body?.Message));
}

/** `name` is the exception's, `data` its payload. */
export function failStreamed(answer: Answer, name: string, data: string): void {
  const payload = parseObject(data);
  const message = textPrefix(payload?.message ?? payload?.Message);
  answer.fail(name === '' ? undefined : name, message);
}
