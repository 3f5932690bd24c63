/** Program: `URL` of the server; makes every call of every SDK, one after the other, and prints what each said. */

import type { SdkResult } from './sdk-case.ts';
import { SDK_CASES } from './sdk-cases.ts';

/** The provider's own word for what went wrong, wherever an SDK keeps it. */
function errorOf(thrown: unknown): string {
  const error = thrown as {
    code?: unknown;
    type?: unknown;
    status?: unknown;
    statusCode?: unknown;
    name?: unknown;
  };
  for (const name of [error.code, error.type, error.status, error.statusCode, error.name]) {
    if ((typeof name === 'string' && name !== '') || typeof name === 'number') {
      return String(name);
    }
  }
  return 'unknown';
}

const url = process.argv[2]!;
for (const [number, one] of SDK_CASES.entries()) {
  const results: SdkResult[] = [];
  let thrown: string | undefined;
  try {
    await one.call(`${url}/${number}`, results);
  } catch (error) {
    const last = results.at(-1);
    thrown = String(error);
    if (last !== undefined) {
      last.error ??= errorOf(error);
    }
  }
  process.stdout.write(`${JSON.stringify({ number, results, thrown })}\n`);
}
process.exit(0);
