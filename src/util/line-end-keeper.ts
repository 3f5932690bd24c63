/**
 * Tells what of a secret of several lines is masked: not its white space, nor the escapes that JSON has for it, at any
 * depth. What is one character for who decodes the JSON would otherwise be as many stars as its escape has bytes.
 *
 * Judged from left to right, so that it makes no difference how the text is cut.
 */

export interface LineEndKeeper {
  /** Goes on in the same secret. `mask` gets the runs to be masked, as indices of this text. */
  push(text: string, mask: (from: number, to: number) => void): void;
}

const BACKSLASH = 0x5c;
const UNICODE_DIGITS = 4;

export function createLineEndKeeper(): LineEndKeeper {
  let isEscaped = false;
  /** Digits of a `\u000a` to come. */
  let digits = 0;

  function isKept(code: number): boolean {
    if (digits > 0) {
      digits = isHexDigit(code) ? digits - 1 : 0;
      if (digits > 0 || isHexDigit(code)) {
        return true;
      }
    }
    if (code === BACKSLASH) {
      isEscaped = true;
      return true;
    }
    if (isEscaped) {
      isEscaped = false;
      digits = code === 0x75 ? UNICODE_DIGITS : 0;
      // n, r, t, u; a slash that PHP escapes must stay one, or the JSON is none.
      return code === 0x6e || code === 0x72 || code === 0x74 || code === 0x75 || code === 0x2f;
    }
    return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  }

  return {
    push(text, mask) {
      let from = -1;
      for (let at = 0; at < text.length; at += 1) {
        if (!isKept(text.charCodeAt(at))) {
          from = from < 0 ? at : from;
        } else if (from >= 0) {
          mask(from, at);
          from = -1;
        }
      }
      if (from >= 0) {
        mask(from, text.length);
      }
    },
  };
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}
