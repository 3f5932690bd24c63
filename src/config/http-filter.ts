/** The language of SIGHTLINE_HTTP_FILTER: which names an expression may refer to, and what each of them is. */
import { CelProblem } from '../util/cel/cel-check.ts';
import { type CelCondition, compileCondition } from '../util/cel/cel-expression.ts';
import type { CelMapType, CelObjectType } from '../util/cel/cel-type.ts';
import { type Format, Refusal } from './format.ts';

const HEADERS: CelMapType = { kind: 'map', key: 'string', value: 'string' };

/** Everything that an expression may refer to. `src/http/exchange-filter.ts` gives the values. */
export const FILTER_NAMES = {
  request: {
    kind: 'object',
    fields: {
      method: 'string',
      path: 'string',
      query: 'string',
      host: 'string',
      port: 'int',
      scheme: 'string',
      headers: HEADERS,
      size: 'int',
    },
  },
  response: {
    kind: 'object',
    fields: { status: 'int', headers: HEADERS, content_type: 'string', size: 'int' },
  },
  process: {
    kind: 'object',
    fields: { pid: 'int', name: 'string', executable: 'string' },
  },
} as const satisfies Record<string, CelObjectType>;

const FIELDS = Object.entries(FILTER_NAMES)
  .map(([name, { fields }]) => `${name} (${Object.keys(fields).join(', ')})`)
  .join(', ');

/** The expression as a condition; it must have been checked by its format. */
export function httpFilterCondition(text: string): CelCondition {
  return compileCondition(text, FILTER_NAMES);
}

export function httpFilter(): Format<string> {
  const allowed = `a CEL expression that is true or false, over ${FIELDS}`;
  return {
    allowed,
    parse: (text) => {
      try {
        httpFilterCondition(text);
        return text;
      } catch (error) {
        if (!(error instanceof CelProblem)) {
          throw error;
        }
        const place = error.offset === undefined ? '' : `at character ${error.offset + 1} `;
        return new Refusal(`${place}${error.message}; allowed is ${allowed}`);
      }
    },
    show: (text) => text,
  };
}
