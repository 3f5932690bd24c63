/** Ordinary English drawn from a seed: what a model's answer looks like, a few letters a token. */
import type { Random } from '../../test/support/model-server/random.ts';

const WORDS = [
  ...['the', 'of', 'and', 'to', 'in', 'is', 'that', 'for', 'it', 'with', 'as', 'on', 'be', 'at'],
  ...['function', 'returns', 'value', 'which', 'because', 'server', 'request', 'answer', 'first'],
  ...['measure', 'stream', 'tokens', 'model', 'should', 'before', 'after', 'result', 'error'],
  ...['careful', 'implementation', 'configuration', 'several', 'already', 'without', 'change'],
];

/** Average length of a word with the space behind it, so that a text's length follows from its words. */
export const PROSE_WORD_BYTES = 6;

/**
 * About `words` words in sentences and paragraphs. Now and then a quotation, a line of code or a letter outside
 * ASCII, as in real answers: they are escapes in JSON and longer than one byte in UTF-8.
 */
export function prose(random: Random, words: number): string {
  let text = '';
  for (let index = 0; index < words; index += 1) {
    const word = WORDS[random.int(0, WORDS.length - 1)]!;
    switch (random.int(0, 39)) {
      case 0:
        text += `"${word}" `;
        break;
      case 1:
        text += `${word}.\n\n`;
        break;
      case 2:
        text += `naïve ${word} – `;
        break;
      case 3:
      case 4:
        text += `${word}, `;
        break;
      default:
        text += `${word} `;
    }
  }
  return text;
}
