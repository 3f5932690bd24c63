/**
 * Arguments of a function call that come in pieces, each a JSON path and a value that goes there.
 * https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/Content#PartialArg
 */
import { asArray, asName, asObject, type JsonObject } from './json-access.ts';

/** Nesting of arguments that are put together; what goes deeper is left out. */
const MAX_PATH_STEPS = 64;
/** Elements of a list that a path may name. */
const MAX_INDEX = 10_000;

/** `.name`, `['name']`, `["name"]` or `[0]`. */
const STEP = /\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/y;

/** Puts the pieces into `args`; false when one of them has no place there. */
export function addPartialArguments(args: JsonObject, pieces: unknown): boolean {
  let isWhole = true;
  for (const entry of asArray(pieces) ?? []) {
    const piece = asObject(entry);
    const steps = stepsOf(asName(piece?.jsonPath) ?? '');
    isWhole = steps !== undefined && put(args, steps, piece!) && isWhole;
  }
  return isWhole;
}

function stepsOf(path: string): (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  if (!path.startsWith('$')) {
    return undefined;
  }
  STEP.lastIndex = 1;
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path);
    if (match === null || steps.length >= MAX_PATH_STEPS) {
      return undefined;
    }
    const index = match[2] === undefined ? undefined : Number(match[2]);
    if (index !== undefined && index > MAX_INDEX) {
      return undefined;
    }
    steps.push(index ?? match[1] ?? match[3] ?? match[4] ?? '');
  }
  return steps.length === 0 ? undefined : steps;
}

function put(args: JsonObject, steps: readonly (string | number)[], piece: JsonObject): boolean {
  let place: JsonObject | unknown[] = args;
  for (const [position, step] of steps.entries()) {
    if (Array.isArray(place) !== (typeof step === 'number')) {
      return false;
    }
    const members = place as JsonObject;
    if (position === steps.length - 1) {
      setMember(members, step, pieceValue(piece, ownMember(members, step)));
      return true;
    }
    let next = ownMember(members, step);
    if (typeof next !== 'object' || next === null) {
      next = typeof steps[position + 1] === 'number' ? [] : {};
      setMember(members, step, next);
    }
    place = next as JsonObject | unknown[];
  }
  return true;
}

/** Strings come in pieces themselves; other values come whole. */
function pieceValue(piece: JsonObject, before: unknown): unknown {
  if (typeof piece.stringValue === 'string') {
    return typeof before === 'string' ? before + piece.stringValue : piece.stringValue;
  }
  return piece.numberValue ?? piece.boolValue ?? null;
}

function ownMember(place: JsonObject, step: string | number): unknown {
  return Object.hasOwn(place, step) ? place[step] : undefined;
}

/** As JSON.parse does it: `__proto__` is a member as any other. */
function setMember(place: JsonObject, step: string | number, value: unknown): void {
  Object.defineProperty(place, step, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
