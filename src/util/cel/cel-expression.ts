/**
 * A compiled expression of the Common Expression Language that is true or false.
 * https://github.com/cel-expr/cel-spec/blob/v0.24.0/doc/langdef.md
 */
import { createRequire } from 'node:module';
import type { CelInput } from '@bufbuild/cel';
import { CelProblem, type CheckedCel, checkCel } from './cel-check.ts';
import { type CelNames, fits, showType } from './cel-type.ts';

/** Longer than anything that a person would write. */
const MAX_EXPRESSION_CHARS = 8_192;

export interface CelCondition {
  /** The fields it refers to, such as `request.method`. */
  readonly paths: ReadonlySet<string>;
  /**
   * Undefined where there is no answer: a field that decides is not among `values`, a header is missing, a number is
   * divided by zero. An operand of `&&` or `||` without an answer matters only when the other one does not decide.
   */
  evaluate(values: ReadonlyMap<string, CelInput>): boolean | undefined;
}

interface Libraries {
  cel: typeof import('@bufbuild/cel');
  re2: typeof import('re2js');
}

/** Loaded when the first expression is: most runs have none, and loading takes a tenth of a second. */
let libraries: Libraries | undefined;

function load(): Libraries {
  if (libraries === undefined) {
    const require = createRequire(import.meta.url);
    libraries = { cel: require('@bufbuild/cel'), re2: require('re2js') };
  }
  return libraries;
}

/** Throws a CelProblem that says what is wrong with the text, and where. */
export function compileCondition(text: string, names: CelNames): CelCondition {
  if (text.length > MAX_EXPRESSION_CHARS) {
    throw new CelProblem(`it is longer than ${MAX_EXPRESSION_CHARS} characters`, undefined);
  }
  const { cel } = load();
  const parsed = parse(text);
  const checked = checkCel(parsed, names);
  if (!fits(checked.type, 'bool')) {
    throw new CelProblem(`it gives a ${showType(checked.type)}, not true or false`, undefined);
  }
  const patterns = compilePatterns(checked);
  const env = cel.celEnv({
    // Linear in the text, whatever the pattern; each was compiled already.
    re2: { compile: (pattern) => patterns.get(pattern) ?? { test: () => false } },
  });
  const evaluate = cel.plan(env, parsed) as (values: Record<string, CelInput>) => unknown;
  return {
    paths: checked.paths,
    evaluate(values) {
      const result = evaluate(Object.fromEntries(values));
      return typeof result === 'boolean' ? result : undefined;
    },
  };
}

function parse(text: string): ReturnType<Libraries['cel']['parse']> {
  try {
    return load().cel.parse(text);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new CelProblem('it is nested too deep', undefined);
    }
    const { rawMessage, location, message } = error as Error & {
      rawMessage?: string;
      location?: { start?: { offset?: number } };
    };
    throw new CelProblem(
      `it is no expression: ${(rawMessage ?? message).replaceAll(/\s+/g, ' ')}`,
      location?.start?.offset,
    );
  }
}

function compilePatterns({ patterns }: CheckedCel): Map<string, { test(text: string): boolean }> {
  const { RE2JS } = load().re2;
  const compiled = new Map<string, { test(text: string): boolean }>();
  for (const [pattern, offset] of patterns) {
    try {
      const matcher = RE2JS.compile(pattern);
      compiled.set(pattern, { test: (text) => matcher.matcher(text).find() });
    } catch (error) {
      throw new CelProblem(
        `the pattern is not one of RE2's: ${(error as Error).message.replaceAll(/\s+/g, ' ')}`,
        offset,
      );
    }
  }
  return compiled;
}
