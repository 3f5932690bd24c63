/** What a wire API must provide to be understood: one file each, listed in `wire-apis.ts`. */
import type { RequestMessage } from '../http/exchange.ts';
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import type { FormatChoice } from './answer-format.ts';
import type { ContentKeeper } from './content-keeper.ts';
import type { LlmLimits } from './limits.ts';
import type { ModelCall, Operation, WireApi } from './model-call.ts';

export interface CallContext {
  call: ModelCall;
  content: ContentKeeper;
  limits: LlmLimits;
  /** `call.provider` is only that of the wire API or the path: no rule, host or answer says whose server it is. */
  isProviderAssumed(): boolean;
}

/** Where a request went. */
export interface CallTarget {
  /** Path as sent, without query and without a slash at the end. */
  path: string;
  /** Lower case, without port; undefined when the request names no host. */
  host: string | undefined;
  request: RequestMessage;
}

export interface WireApiReader {
  readonly api: WireApi;
  readonly operation: Operation;
  /** gen_ai.provider.name where the host is not known. */
  readonly provider: string;
  /** Whether a POST to this target may be a call. Cheap: asked of every request. */
  matches(target: CallTarget): boolean;
  /** Makes the reader of one request body. */
  readRequest(context: CallContext, target: CallTarget): RequestReader;
  /** Makes the reader of one answer body. */
  readAnswer(context: CallContext, answer: Answer): AnswerReader;
}

export interface RequestReader {
  readonly plan: JsonPlan;
  /** An item of an array whose plan has `emit`. `isWhole` is false for one that was torn. */
  item(name: string, value: unknown, isWhole: boolean): void;
  /** A field of a form (multipart/form-data) that is no file; absent: the API takes no forms. */
  field?(name: string, value: string): void;
  /**
   * The body is over: fills in `call.request`. `isWhole` is false when the body was torn or is no JSON.
   * False: this is no call, whatever its path says.
   */
  end(root: unknown, isWhole: boolean): boolean;
}

export interface AnswerReader {
  /** Plan for an answer that is one JSON text. */
  readonly plan: JsonPlan;
  /** An answer that is one JSON text; `root` is undefined when nothing of it could be read. */
  body(root: unknown, isWhole: boolean, timeNs: bigint): void;
  /** A body of this Content-Type is no text: it is followed to its end, and nothing of it is read. */
  isOpaque?(contentType: string): boolean;
  /** What a body that looks like this is to the API; absent: one JSON text, or server-sent events. */
  readonly formatOf?: FormatChoice;
  /**
   * One record of a streamed answer: an event, a line, an element of an array, a message; `name` is empty where the
   * framing has none. `isFailure`: the framing itself says that the service failed. False when the data is not what
   * the API sends.
   */
  event(name: string, data: string, timeNs: bigint, isFailure?: boolean): boolean;
  /** The stream's bytes have a hole here. */
  gap(): void;
  /** The protocol's own end of a stream was seen (`[DONE]`, `message_stop`). */
  readonly isDone: boolean;
  /** A stream that ends now without `isDone`, and has not failed, ends as this API allows it; absent: it never does. */
  mayEnd?(): boolean;
}
