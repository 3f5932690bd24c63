/** How version 1 of Cohere's API streams: one JSON text a line. */
import type { FormatChoice } from './answer-format.ts';
import type { ModelCall } from './model-call.ts';

/** For an answer to `call`: a stream of one line looks like a JSON text. */
export function cohereLines(call: ModelCall): FormatChoice {
  return (seen) => {
    switch (seen) {
      case 'sse':
      case 'ndjson':
        return seen;
      case 'json':
        return call.request.stream === true && (call.httpStatus ?? 0) < 400 ? 'ndjson' : 'json';
      default:
        return 'other';
    }
  };
}
