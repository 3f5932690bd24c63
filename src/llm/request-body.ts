/** The body of a request: a JSON text, or a form with files (multipart/form-data, RFC 7578). */
import type { RequestMessage } from '../http/exchange.ts';
import { createMultipartReader, multipartBoundary } from '../http/multipart-reader.ts';
import type { JsonResult, JsonScanner } from '../util/json-scanner.ts';
import type { RequestReader } from './wire-api.ts';

export interface RequestBody {
  data(bytes: Uint8Array, timeNs: bigint): void;
  gap(timeNs: bigint): void;
  /** Whether the request is a call, and what is wrong with its JSON; a form has none. */
  end(isBodyComplete: boolean): { isCall: boolean; result: JsonResult | undefined };
}

/** UTF-8 bytes of a field of a form: names and numbers. */
const MAX_VALUE_BYTES = 4096;

export function createRequestBody(
  reader: RequestReader,
  scanner: JsonScanner,
  request: RequestMessage,
): RequestBody {
  const boundary = multipartBoundary(request.headers.get('content-type'));
  if (boundary === undefined || reader.field === undefined) {
    return {
      data: (bytes) => scanner.push(bytes),
      gap: () => scanner.gap(),
      end() {
        const result = scanner.end();
        return { isCall: reader.end(result.value, result.state === 'complete'), result };
      },
    };
  }
  let lastNs = request.endNs;
  const form = createMultipartReader({
    boundary,
    maxValueBytes: MAX_VALUE_BYTES,
    onPart({ name, value }) {
      if (name !== undefined) {
        reader.field?.(name, value ?? '');
      }
    },
  });
  return {
    data(bytes, timeNs) {
      lastNs = timeNs;
      form.data(bytes, timeNs);
    },
    gap: (timeNs) => form.gap(timeNs),
    end(isBodyComplete) {
      form.end(isBodyComplete, lastNs);
      return { isCall: reader.end(undefined, isBodyComplete), result: undefined };
    },
  };
}
