/**
 * Finds in an expression, before it is ever evaluated, what could not be evaluated: names, fields and functions that do
 * not exist, and operands that do not fit. The library has this for constants and names alone.
 * https://github.com/cel-expr/cel-spec/blob/v0.24.0/doc/langdef.md
 */
import type { parse } from '@bufbuild/cel';
import {
  type CelNames,
  type CelObjectType,
  type CelType,
  eitherType,
  fits,
  isComparable,
  isNumber,
  listOf,
  showType,
} from './cel-type.ts';

type Parsed = ReturnType<typeof parse>;
type Expr = Parsed['expr'];
type Kind<K> = Extract<Expr['exprKind'], { case: K }>['value'];
type CallExpr = Kind<'callExpr'>;

/** What is wrong, and where: completes "at character N …". */
export class CelProblem extends Error {
  /** Counted from 0; undefined where it is nowhere in particular. */
  readonly offset: number | undefined;

  constructor(message: string, offset: number | undefined) {
    super(message);
    this.offset = offset;
  }
}

export interface CheckedCel {
  type: CelType;
  /** The fields it refers to, such as `request.method`. */
  paths: ReadonlySet<string>;
  /** Patterns of `matches`, each written out in the expression. */
  patterns: ReadonlyMap<string, number | undefined>;
}

const ARITHMETIC = new Set(['_-_', '_*_', '_/_', '_%_']);
const ORDER = new Set(['_<_', '_<=_', '_>_', '_>=_']);
const TEXT_TESTS = new Set(['contains', 'startsWith', 'endsWith']);
const CONVERSIONS: Readonly<Record<string, CelType>> = {
  int: 'int',
  double: 'double',
  string: 'string',
};

/** Evaluating is recursive: a person's expression stays far below. */
const MAX_DEPTH = 200;

/** What is there beside operators, for error messages. */
const FUNCTIONS =
  'contains, startsWith, endsWith, matches, size, int, double, string, has, all, exists, exists_one, map, filter';

/** Throws a CelProblem. */
export function checkCel(parsed: Parsed, names: CelNames): CheckedCel {
  const positions = parsed.sourceInfo?.positions ?? {};
  const paths = new Set<string>();
  const patterns = new Map<string, number | undefined>();
  let depth = 0;
  /** Variables of the macro that is being read. */
  let scope: ReadonlyMap<string, CelType> = new Map();

  function offsetOf(expr: Expr): number | undefined {
    return positions[String(expr.id)];
  }

  function fail(expr: Expr, message: string): never {
    throw new CelProblem(message, offsetOf(expr));
  }

  function typeOf(expr: Expr | undefined): CelType {
    depth += 1;
    if (depth > MAX_DEPTH) {
      throw new CelProblem('it is nested too deep', expr && offsetOf(expr));
    }
    const type = typeOfKind(expr);
    depth -= 1;
    return type;
  }

  function typeOfKind(expr: Expr | undefined): CelType {
    const kind = expr?.exprKind;
    if (expr === undefined || kind === undefined) {
      return 'dyn';
    }
    switch (kind.case) {
      case 'constExpr':
        return typeOfConstant(kind.value.constantKind.case);
      case 'identExpr':
        return typeOfName(expr, kind.value.name);
      case 'selectExpr':
        return typeOfField(expr, kind.value);
      case 'callExpr':
        return typeOfCall(expr, kind.value);
      case 'listExpr': {
        const types = kind.value.elements.map(typeOf);
        return listOf(types.length === 0 ? 'dyn' : types.reduce(eitherType));
      }
      case 'structExpr':
        return typeOfMap(expr, kind.value);
      case 'comprehensionExpr':
        return typeOfMacro(expr, kind.value);
      default:
        return fail(expr, 'there is something that has no place here');
    }
  }

  function typeOfName(expr: Expr, name: string): CelType {
    const local = scope.get(name);
    if (local !== undefined) {
      return local;
    }
    const object = objectOf(name);
    if (object === undefined) {
      return fail(
        expr,
        `there is "${name}", which is no name here: there are ${Object.keys(names).join(', ')}`,
      );
    }
    const field = Object.keys(object.fields)[0] ?? '';
    return fail(expr, `"${name}" is no value: name one of its fields, such as ${name}.${field}`);
  }

  function objectOf(name: string): CelObjectType | undefined {
    return Object.hasOwn(names, name) ? names[name] : undefined;
  }

  function typeOfField(expr: Expr, { operand, field, testOnly }: Kind<'selectExpr'>): CelType {
    const base = operand?.exprKind.case === 'identExpr' ? operand.exprKind.value.name : undefined;
    const object = base === undefined || scope.has(base) ? undefined : objectOf(base);
    if (base !== undefined && object !== undefined) {
      const type = Object.hasOwn(object.fields, field) ? object.fields[field] : undefined;
      if (type === undefined) {
        const known = Object.keys(object.fields).join(', ');
        return fail(expr, `there is "${base}.${field}", but ${base} has only ${known}`);
      }
      if (testOnly) {
        return fail(
          expr,
          `has(${base}.${field}) is asked, but that is always there: has() is for headers`,
        );
      }
      paths.add(`${base}.${field}`);
      return type;
    }
    const type = typeOf(operand);
    if (type === 'dyn') {
      return testOnly ? 'bool' : 'dyn';
    }
    if (typeof type === 'string' || type.kind !== 'map') {
      return fail(expr, `".${field}" is asked of a ${showType(type)}, which has no fields`);
    }
    return testOnly ? 'bool' : type.value;
  }

  function typeOfMap(expr: Expr, { messageName, entries }: Kind<'structExpr'>): CelType {
    if (messageName !== '') {
      return fail(expr, `there is the type "${messageName}", and there are no such types here`);
    }
    for (const { keyKind, value } of entries) {
      if (keyKind.case === 'mapKey') {
        typeOf(keyKind.value);
      }
      typeOf(value);
    }
    return { kind: 'map', key: 'dyn', value: 'dyn' };
  }

  /** `all`, `exists`, `exists_one`, `map` and `filter`, which the parser writes out as a loop. */
  function typeOfMacro(expr: Expr, loop: Kind<'comprehensionExpr'>): CelType {
    if (scope.size > 0) {
      return fail(expr, 'one of all, exists, exists_one, map, filter is inside another');
    }
    const range = typeOf(loop.iterRange);
    const isRange = range === 'dyn' || (typeof range !== 'string' && range.kind !== 'object');
    if (!isRange) {
      return fail(expr, `a ${showType(range)} is looked through, which is neither list nor map`);
    }
    const first = range === 'dyn' ? 'dyn' : range.kind === 'list' ? range.element : range.key;
    const accumulated = typeOf(loop.accuInit);
    scope = new Map([
      [loop.iterVar, first],
      [loop.iterVar2, range === 'dyn' || range.kind === 'list' ? 'dyn' : range.value],
      [loop.accuVar, accumulated],
    ]);
    typeOf(loop.loopCondition);
    typeOf(loop.loopStep);
    const result = typeOf(loop.result);
    scope = new Map();
    return result;
  }

  function typeOfCall(expr: Expr, call: CallExpr): CelType {
    const operands = call.target === undefined ? call.args : [call.target, ...call.args];
    const types = operands.map(typeOf);
    const [left = 'dyn', right = 'dyn', third = 'dyn'] = types;
    const name = call.function;
    const wrong = (): never =>
      fail(expr, `${nameOf(name)} cannot take ${types.map(showType).join(' and ')}`);
    if (name === '_&&_' || name === '_||_' || name === '!_') {
      return types.every((type) => fits(type, 'bool')) ? 'bool' : wrong();
    }
    if (name === '@not_strictly_false') {
      return 'bool';
    }
    if (name === '_==_' || name === '_!=_') {
      return isComparable(left, right) ? 'bool' : wrong();
    }
    if (ORDER.has(name)) {
      const isOrdered = typeof left === 'string' && typeof right === 'string';
      return isOrdered && left !== 'null' && isComparable(left, right) ? 'bool' : wrong();
    }
    if (name === '_?_:_') {
      return fits(left, 'bool') && fits(right, third) ? eitherType(right, third) : wrong();
    }
    if (name === '_+_') {
      const isSum = isNumber(left) || left === 'string' || left === 'bytes' || isList(left);
      const isLike = isList(left) ? right === 'dyn' || isList(right) : fits(left, right);
      return isSum && isLike ? eitherType(left, right) : wrong();
    }
    if (ARITHMETIC.has(name)) {
      return isNumber(left) && fits(left, right) ? left : wrong();
    }
    if (name === '-_') {
      return isNumber(left) ? left : wrong();
    }
    if (name === '_[_]') {
      return typeOfIndex(left, right) ?? wrong();
    }
    if (name === '@in') {
      const isHolder = right === 'dyn' || isList(right) || isMap(right);
      const element = isList(right) ? right.element : isMap(right) ? right.key : 'dyn';
      return isHolder && isComparable(left, element) ? 'bool' : wrong();
    }
    return typeOfFunction(expr, call, operands, types) ?? wrong();
  }

  /** Undefined: it is there, but not for these operands. */
  function typeOfFunction(
    expr: Expr,
    call: CallExpr,
    operands: readonly Expr[],
    types: readonly CelType[],
  ): CelType | undefined {
    const name = call.function;
    const [left = 'dyn', right = 'dyn'] = types;
    const isMethod = call.target !== undefined;
    const isOfTexts = types.length === 2 && fits(left, 'string') && fits(right, 'string');
    if (TEXT_TESTS.has(name) && isMethod) {
      return isOfTexts ? 'bool' : undefined;
    }
    if (name === 'matches') {
      return isOfTexts ? typeOfMatch(operands[1]) : undefined;
    }
    if (name === 'size') {
      const isSized = fits(left, 'string') || left === 'bytes' || isList(left) || isMap(left);
      return types.length === 1 && isSized ? 'int' : undefined;
    }
    if (!isMethod && Object.hasOwn(CONVERSIONS, name)) {
      const isPlain = types.length === 1 && (isNumber(left) || left === 'string');
      return isPlain ? CONVERSIONS[name] : undefined;
    }
    if (name === 'has') {
      return fail(expr, 'has() takes a header, such as has(request.headers.accept)');
    }
    return fail(expr, `there is "${name}()", which is no function here: there are ${FUNCTIONS}`);
  }

  /** A pattern that came with a request would be compiled anew for each, and could be anything. */
  function typeOfMatch(pattern: Expr | undefined): CelType {
    const kind = pattern?.exprKind;
    const constant = kind?.case === 'constExpr' ? kind.value.constantKind : undefined;
    if (pattern === undefined || constant?.case !== 'stringValue') {
      throw new CelProblem(
        'the pattern of matches() is not written out',
        pattern && offsetOf(pattern),
      );
    }
    patterns.set(constant.value, offsetOf(pattern));
    return 'bool';
  }

  return { type: typeOf(parsed.expr), paths, patterns };
}

function typeOfConstant(kind: string | undefined): CelType {
  switch (kind) {
    case 'boolValue':
      return 'bool';
    case 'int64Value':
      return 'int';
    case 'uint64Value':
      return 'uint';
    case 'doubleValue':
      return 'double';
    case 'stringValue':
      return 'string';
    case 'bytesValue':
      return 'bytes';
    case 'nullValue':
      return 'null';
    default:
      return 'dyn';
  }
}

function typeOfIndex(holder: CelType, key: CelType): CelType | undefined {
  if (holder === 'dyn') {
    return 'dyn';
  }
  if (isList(holder)) {
    return isNumber(key) ? holder.element : undefined;
  }
  return isMap(holder) && fits(key, holder.key) ? holder.value : undefined;
}

function isList(type: CelType): type is Extract<CelType, { kind: 'list' }> {
  return typeof type !== 'string' && type.kind === 'list';
}

function isMap(type: CelType): type is Extract<CelType, { kind: 'map' }> {
  return typeof type !== 'string' && type.kind === 'map';
}

/** `_==_` is written `==`. */
function nameOf(name: string): string {
  const written = name.replaceAll(/[_@]/g, '');
  return /^\w+$/.test(written) && !name.startsWith('@') ? `${written}()` : written;
}
