/** The types of expressions in the Common Expression Language, as far as they are used here. */

export type CelType =
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'null'
  /** Known when the expression is evaluated. */
  | 'dyn'
  | CelListType
  | CelMapType
  | CelObjectType;

export interface CelListType {
  readonly kind: 'list';
  readonly element: CelType;
}

export interface CelMapType {
  readonly kind: 'map';
  readonly key: CelType;
  readonly value: CelType;
}

/** A name with fields. It is no value of its own. */
export interface CelObjectType {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, CelType>>;
}

/** What an expression may refer to. */
export type CelNames = Readonly<Record<string, CelObjectType>>;

const NUMBERS: ReadonlySet<CelType> = new Set(['int', 'uint', 'double']);

export function listOf(element: CelType): CelListType {
  return { kind: 'list', element };
}

export function showType(type: CelType): string {
  if (typeof type === 'string') {
    return type;
  }
  switch (type.kind) {
    case 'list':
      return `list(${showType(type.element)})`;
    case 'map':
      return `map(${showType(type.key)}, ${showType(type.value)})`;
    case 'object':
      return 'object';
  }
}

/** Could be one where the other is asked for. */
export function fits(type: CelType, wanted: CelType): boolean {
  return type === 'dyn' || wanted === 'dyn' || showType(type) === showType(wanted);
}

export function isNumber(type: CelType): boolean {
  return type === 'dyn' || NUMBERS.has(type);
}

/** Numbers of all kinds compare with each other; everything else with its own kind. */
export function isComparable(left: CelType, right: CelType): boolean {
  if (left === 'dyn' || right === 'dyn' || (NUMBERS.has(left) && NUMBERS.has(right))) {
    return true;
  }
  if (typeof left !== 'string' && typeof right !== 'string') {
    return left.kind === right.kind;
  }
  return left === right;
}

/** The type of a value that is one or the other. */
export function eitherType(left: CelType, right: CelType): CelType {
  return showType(left) === showType(right) ? left : 'dyn';
}
