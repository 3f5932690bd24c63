/** Joins pieces of text that come one after another, for APIs that number neither them nor what they belong to. */
import type { Choice } from './answer.ts';

type TextKind = 'text' | 'reasoning' | 'refusal';

export interface GrowingText {
  /** Appends to the text that is open when it is of this kind, else to a new one. */
  append(choice: Choice, kind: TextKind, piece: string, timeNs: bigint): void;
  /** What comes next is another text: a tool call or a hole is between them. */
  close(): void;
}

/** For one choice of an answer. */
export function createGrowingText(): GrowingText {
  let open: ReturnType<Choice['beginText']>;
  return {
    append(choice, kind, piece, timeNs) {
      if (piece.length === 0) {
        return;
      }
      if (open?.kind !== kind) {
        open = choice.beginText(kind);
      }
      if (open !== undefined) {
        choice.append(open, piece, timeNs);
      }
    },
    close() {
      open = undefined;
    },
  };
}
