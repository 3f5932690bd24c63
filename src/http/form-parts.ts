/** Notes the parts of a multipart/form-data request (file uploads, audio) on its message, without their content. */
import type { Damage } from '../util/damage.ts';
import { findSecretsInText, maskPlaces } from '../util/key-shapes.ts';
import type { BodySink, RequestMessage } from './exchange.ts';
import type { HttpContext } from './http-options.ts';
import {
  createMultipartReader,
  type MultipartPart,
  multipartBoundary,
} from './multipart-reader.ts';

/**
 * The sink for a request's body: `sink` itself, unless the body is a form, whose parts are then kept in
 * `request.parts` while `sink` gets everything as before.
 */
export function withFormParts(
  request: RequestMessage,
  sink: BodySink | undefined,
  damage: Damage,
  { limits, counters }: HttpContext,
): BodySink | undefined {
  const boundary = multipartBoundary(request.headers.get('content-type'));
  if (boundary === undefined) {
    return sink;
  }
  const parts: MultipartPart[] = [];
  request.parts = parts;
  const reader = createMultipartReader({
    boundary,
    maxParts: limits.maxFormParts,
    maxHeadBytes: limits.maxFormPartHeadBytes,
    onPart: (part) => parts.push(withoutSecrets(part)),
    onLimit() {
      counters.formLimits += 1;
      damage.add('limit');
    },
  });
  return {
    data(bytes, timeNs) {
      reader.data(bytes, timeNs);
      sink?.data(bytes, timeNs);
    },
    gap(timeNs) {
      reader.gap(timeNs);
      sink?.gap(timeNs);
    },
    end(complete, timeNs) {
      reader.end(complete, timeNs);
      sink?.end(complete, timeNs);
    },
  };
}

function withoutSecrets(part: MultipartPart): MultipartPart {
  const masked = { ...part };
  for (const key of ['name', 'filename', 'contentType'] as const) {
    const text = part[key];
    if (text !== undefined) {
      masked[key] = maskPlaces(text, findSecretsInText(text));
    }
  }
  return masked;
}
