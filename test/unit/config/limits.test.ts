import assert from 'node:assert/strict';
import { loadConfig } from '../../../src/config/load.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../src/http/limits.ts';
import { DEFAULT_LLM_LIMITS } from '../../../src/llm/limits.ts';
import { DEFAULT_PROCESS_TABLE_LIMITS } from '../../../src/process/process-table.ts';
import { DEFAULT_SESSION_LIMITS } from '../../../src/session/limits.ts';
import { DEFAULT_LIMITS as DEFAULT_TELEMETRY_LIMITS } from '../../../src/telemetry/options.ts';
import { DEFAULT_TRANSPORT_LIMITS } from '../../../src/transport/limits.ts';

describe('the limits of the configuration', () => {
  it("are the rooms' own, name by name and value by value", () => {
    assert.deepEqual(loadConfig({}).limits, {
      transport: DEFAULT_TRANSPORT_LIMITS,
      http: DEFAULT_HTTP_LIMITS,
      llm: DEFAULT_LLM_LIMITS,
      process: DEFAULT_PROCESS_TABLE_LIMITS,
      session: DEFAULT_SESSION_LIMITS,
      telemetry: DEFAULT_TELEMETRY_LIMITS,
    });
  });
});
