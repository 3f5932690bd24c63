/** The modules that benches run: the sources, or one of several built versions side by side. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Folders below `src` and `dist`, without their endings. */
const MODULES = {
  transport: 'transport/transport',
  httpStage: 'http/http-stage',
  sse: 'http/sse-decoder',
  streamReader: 'http/stream-reader',
  multipart: 'http/multipart-reader',
  contentDecoder: 'http/content-decoder',
  httpLimits: 'http/limits',
  exchange: 'http/exchange',
  llmStage: 'llm/llm-stage',
  damage: 'util/damage',
  pipeline: 'pipeline',
  counters: 'self/counters',
} as const;

export interface Build {
  transport: typeof import('../../src/transport/transport.ts');
  httpStage: typeof import('../../src/http/http-stage.ts');
  sse: typeof import('../../src/http/sse-decoder.ts');
  streamReader: typeof import('../../src/http/stream-reader.ts');
  multipart: typeof import('../../src/http/multipart-reader.ts');
  contentDecoder: typeof import('../../src/http/content-decoder.ts');
  httpLimits: typeof import('../../src/http/limits.ts');
  exchange: typeof import('../../src/http/exchange.ts');
  llmStage: typeof import('../../src/llm/llm-stage.ts');
  damage: typeof import('../../src/util/damage.ts');
  pipeline: typeof import('../../src/pipeline.ts');
  counters: typeof import('../../src/self/counters.ts');
}

/** `src`: the sources of this tree. Otherwise the folder of a built version, `dist` or another tree's. */
export async function loadBuild(folder: string): Promise<Build> {
  const ending = folder === 'src' ? '.ts' : '.js';
  const loaded = Object.entries(MODULES).map(async ([name, path]) => {
    const file = pathToFileURL(resolve(folder, `${path}${ending}`)).href;
    return [name, await import(file)] as const;
  });
  return Object.fromEntries(await Promise.all(loaded)) as unknown as Build;
}
