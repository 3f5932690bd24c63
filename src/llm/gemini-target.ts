/**
 * Which method of which model a request to Gemini or Vertex AI calls: both are in the path.
 * https://ai.google.dev/api and https://cloud.google.com/vertex-ai/docs/reference/rest
 */
import type { ModelCall } from './model-call.ts';
import { decodedSegment } from './path-segment.ts';

/** The last segment of the path: a model, and the method behind a colon. */
const METHOD = /\/([^/:]+):([A-Za-z]+)$/;

/**
 * Everything that Vertex AI names before the model, and no other API of Google does. Behind a gateway's own path
 * Google's SDK for Node encodes the slashes.
 */
const VERTEX = /(?:\/|%2f)(?:publishers|projects|endpoints)(?:\/|%2f)/i;

export interface GeminiTarget {
  /** As the path names it, decoded; undefined where the body does. */
  model: string | undefined;
  method: string;
}

export function geminiTargetOf(path: string): GeminiTarget | undefined {
  const match = METHOD.exec(path);
  if (match === null) {
    return undefined;
  }
  const name = decodedSegment(match[1]!);
  // The API behind Google's own command line client: `/v1internal:generateContent`, the model is in the body.
  return { model: name === 'v1internal' ? undefined : name, method: match[2]! };
}

/** Sets the provider's name where the host alone does not say it. */
export function setGoogleProvider(call: ModelCall, path: string, host: string | undefined): void {
  if (call.provider !== 'gcp.gemini' || host === 'generativelanguage.googleapis.com') {
    return;
  }
  if (VERTEX.test(path)) {
    call.provider = 'gcp.vertex_ai';
  } else if (host?.endsWith('.googleapis.com')) {
    // The conventions' name for an API of Google that is neither.
    call.provider = 'gcp.gen_ai';
  }
}
