/** What to send back for one request: the status, the head and the pieces of the body, before any framing. */
import type { RequestView, StreamEvent } from './answer.ts';
import type { AnswerTruth } from './exchange-truth.ts';
import type { Scenario } from './scenario.ts';

export interface BodyPiece {
  /** Before content encoding. */
  bytes: Buffer;
  /** Called once the piece's last byte has been handed to the socket. */
  effect?: (() => void) | undefined;
}

export interface ResponsePlan {
  status: number;
  headers: [string, string][];
  pieces: BodyPiece[];
  /** Pieces are SSE events. */
  isStream: boolean;
  /** The same without framing, for other ways to send them. */
  events?: readonly StreamEvent[];
  /** False: the head announces a body that is not sent (HEAD, 204, 304). */
  hasBody: boolean;
  scenario: Scenario;
  view?: RequestView;
  answer?: AnswerTruth;
}
