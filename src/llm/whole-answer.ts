/** An answer that its API gives as one JSON text only: there are no events, and so no end of them. */
import type { AnswerReader } from './wire-api.ts';

export function readWholeAnswer(reader: Pick<AnswerReader, 'plan' | 'body'>): AnswerReader {
  return {
    ...reader,
    event: () => false,
    gap() {},
    isDone: false,
  };
}
