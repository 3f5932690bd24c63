/**
 * Which model a request to Amazon Bedrock names, and how it calls it: both are in the path.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
 */
import { decodedSegment } from './path-segment.ts';

/** The identifier is a name, a profile's name or an ARN, with its slashes and colons percent-encoded. */
const PATH = /\/model\/(.+)\/(converse|converse-stream|invoke|invoke-with-response-stream)$/;

export type BedrockMethod =
  | 'converse'
  | 'converse-stream'
  | 'invoke'
  | 'invoke-with-response-stream';

export interface BedrockTarget {
  model: string;
  method: BedrockMethod;
}

export function bedrockTargetOf(path: string): BedrockTarget | undefined {
  const match = PATH.exec(path);
  if (match === null) {
    return undefined;
  }
  return { model: decodedSegment(match[1]!), method: match[2] as BedrockMethod };
}
