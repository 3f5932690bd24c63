/**
 * `--print STAGE`: what passes a stage, as one line of JSON each. Raw bytes of events and streams are never
 * shown, only their number, because credentials are still in them; bodies only when content is on.
 */
import { PRINT_STAGES, type PrintOptions, type PrintStage } from './agent-surface.ts';
import type { Command, CommandContext, CommandOption } from './command.ts';
import { usageError } from './command-line.ts';

export const PRINT_OPTION: CommandOption = {
  name: 'print',
  value: 'STAGE',
  doc: `Write what passes a stage as JSON lines to stdout: ${PRINT_STAGES.join(', ')}.`,
};

/** Stages in front of the one that removes credentials. */
const RAW_STAGES: ReadonlySet<PrintStage> = new Set(['events', 'streams']);

/** Reads `--print`; undefined when it is not given. */
export function printOptions(command: Command, context: CommandContext): PrintOptions | undefined {
  const word = context.line.values.print;
  if (word === undefined) {
    return undefined;
  }
  const stage = PRINT_STAGES.find((name) => name === word);
  if (stage === undefined) {
    throw usageError(
      command,
      `--print is "${word}", but allowed is one of ${PRINT_STAGES.join(', ')}`,
    );
  }
  const showBodies = context.config.content.capture !== 'NO_CONTENT';
  return {
    stage,
    sink: (at, value) => context.output.stdout(`${printLine(at, value, { showBodies })}\n`),
  };
}

/** One line of JSON: 64-bit numbers as text, sets as lists, maps as objects, times and ids as they are. */
export function printLine(
  stage: PrintStage,
  value: unknown,
  options: { showBodies: boolean },
): string {
  const showBytes = options.showBodies && !RAW_STAGES.has(stage);
  return JSON.stringify(plain(value, showBytes, new Set()));
}

function plain(value: unknown, showBytes: boolean, above: Set<object>): unknown {
  if (typeof value === 'bigint') {
    return value.toString();
  }
  if (typeof value === 'function' || typeof value === 'symbol') {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value instanceof Uint8Array) {
    return showBytes ? decodeText(value) : { byteCount: value.byteLength };
  }
  if (above.has(value)) {
    return '(circular)';
  }
  above.add(value);
  const converted = plainObject(value, showBytes, above);
  above.delete(value);
  return converted;
}

function plainObject(value: object, showBytes: boolean, above: Set<object>): unknown {
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].map((item) => plain(item, showBytes, above));
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]): [string, unknown] => [
      String(key),
      plain(item, showBytes, above),
    ]);
    return Object.fromEntries(entries);
  }
  // A process names its parent, that one its own, and so on to init: the first is enough.
  const entries = Object.entries(value).map(([name, item]) => [
    name,
    name === 'parent' && 'parentRef' in value ? undefined : plain(item, showBytes, above),
  ]);
  // Not by assignment: `__proto__` is an ordinary key of the wire's JSON.
  return Object.fromEntries(entries);
}

function decodeText(bytes: Uint8Array): unknown {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return {
      base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
    };
  }
}
