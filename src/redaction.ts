/** What is masked in whatever is exported, and in recordings: the built-in rules and what SIGHTLINE_REDACT adds. */
import type { Config } from './config/schema.ts';
import { maskArguments, maskSecretsInText } from './util/argument-secrets.ts';
import {
  createSecretFinder,
  findCutSecret,
  maskPlaces,
  type SecretFinder,
} from './util/key-shapes.ts';
import { inLatin1 } from './util/latin1-places.ts';
import { createPatternFinder } from './util/redaction-patterns.ts';
import { OPTIONAL_RULES } from './util/secret-rules.ts';

export interface Redaction {
  /** Any text that leaves: what a rule finds, and what the words before it call a credential, as so many `*`. */
  text(text: string): string;
  /** The arguments of a program, of the same number and lengths. */
  argv(argv: readonly string[]): string[];
  /** What SIGHTLINE_REDACT adds, in bytes that are read as Latin-1; undefined when it adds nothing. */
  inBytes: SecretFinder | undefined;
}

export function createRedaction({ content }: Pick<Config, 'content'>): Redaction {
  const find = addedFinder(content.redact);
  if (find === undefined) {
    return { text: redactSecrets, argv: maskArguments, inBytes: undefined };
  }
  // Looked for in the text as it was, and not in what the other rules left: every mask has the length of its secret.
  const text = (given: string) => maskPlaces(redactSecrets(given), find(given));
  return {
    text,
    argv: (argv) => {
      const masked = maskArguments(argv);
      return argv.map((argument, index) => maskPlaces(masked[index] ?? '', find(argument)));
    },
    inBytes: inLatin1(find),
  };
}

/** What the built-in rules find, a key that was cut off by the text's end too. */
export function redactSecrets(text: string): string {
  const masked = maskSecretsInText(text);
  return maskPlaces(masked, findCutSecret(masked));
}

function addedFinder(items: Config['content']['redact']): SecretFinder | undefined {
  if (items.length === 0) {
    return undefined;
  }
  const names = new Set(items.map((item) => ('rule' in item ? item.rule : undefined)));
  const findRules = createSecretFinder(OPTIONAL_RULES.filter(({ name }) => names.has(name)));
  const findPatterns = createPatternFinder(items.filter((item) => 'source' in item));
  return (text) => [...findRules(text), ...findPatterns(text)];
}
