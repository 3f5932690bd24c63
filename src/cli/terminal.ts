/** Where trees and notices go, and how to keep them off the screen of a running command. */
import type { WriteStream } from 'node:tty';
import type { Terminal } from './agent-surface.ts';

/** What is held at most; beyond it the newest text is not kept, and the number of its lines is told. */
const MAX_HELD_CHARACTERS = 4 * 1024 * 1024;

/** `stream` is what `write` leads to: its width and colours are used when it is a terminal. */
export function createTerminal(
  write: (text: string) => void,
  stream: { isTTY?: boolean } & Partial<Pick<WriteStream, 'columns' | 'hasColors'>>,
): Terminal {
  if (stream.isTTY !== true) {
    return { write, isColoured: false };
  }
  return {
    write,
    columns: () => stream.columns,
    // hasColors knows NO_COLOR, FORCE_COLOR and TERM=dumb.
    isColoured: stream.hasColors?.() ?? false,
  };
}

export interface HeldOutput {
  write(text: string): void;
  hold(): void;
  /** Writes what was held and lets all that follows through. */
  release(): void;
}

/** Passes text on to `write`, except while it is held. */
export function holdOutput(write: (text: string) => void): HeldOutput {
  let isHolding = false;
  let held: string[] = [];
  let heldCharacters = 0;
  let lostLines = 0;
  return {
    write: (text) => {
      if (!isHolding) {
        write(text);
      } else if (heldCharacters + text.length <= MAX_HELD_CHARACTERS) {
        held.push(text);
        heldCharacters += text.length;
      } else {
        lostLines += text.split('\n').length - 1;
      }
    },
    hold: () => {
      isHolding = true;
    },
    release: () => {
      isHolding = false;
      for (const text of held) {
        write(text);
      }
      if (lostLines > 0) {
        write(`(${lostLines} more lines were not kept while the command ran)\n`);
      }
      held = [];
      heldCharacters = 0;
      lostLines = 0;
    },
  };
}
