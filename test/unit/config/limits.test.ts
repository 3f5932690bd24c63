import assert from 'node:assert/strict';
import {
  DEFAULT_MAX_CACHED_CONNECTIONS,
  DEFAULT_MAX_PENDING_ARGV_BYTES,
} from '../../../src/capture/kernel-record.ts';
import {
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_HELD_BYTES,
} from '../../../src/capture/scrubbing-recorder.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../src/http/limits.ts';
import { DEFAULT_WEBSOCKET_LIMITS } from '../../../src/http/websocket/limits.ts';
import { DEFAULT_LLM_LIMITS } from '../../../src/llm/limits.ts';
import { DEFAULT_PROCESS_TABLE_LIMITS } from '../../../src/process/process-table.ts';
import { DEFAULT_SESSION_LIMITS } from '../../../src/session/limits.ts';
import { DEFAULT_MAX_WAITING } from '../../../src/targets/relook-schedule.ts';
import {
  DEFAULT_MAX_ATTACHED,
  DEFAULT_MAX_REMEMBERED,
} from '../../../src/targets/target-finder.ts';
import { DEFAULT_LIMITS as DEFAULT_TELEMETRY_LIMITS } from '../../../src/telemetry/options.ts';
import { DEFAULT_TRANSPORT_LIMITS } from '../../../src/transport/limits.ts';

describe('the limits of the configuration', () => {
  it("are the rooms' own, name by name and value by value", () => {
    assert.deepEqual(loadConfig({}).limits, {
      capture: {
        maxCachedConnections: DEFAULT_MAX_CACHED_CONNECTIONS,
        maxPendingArgvBytes: DEFAULT_MAX_PENDING_ARGV_BYTES,
      },
      recorder: { maxHeldBytes: DEFAULT_MAX_HELD_BYTES, maxConnections: DEFAULT_MAX_CONNECTIONS },
      targets: {
        maxRemembered: DEFAULT_MAX_REMEMBERED,
        maxAttached: DEFAULT_MAX_ATTACHED,
        maxWaiting: DEFAULT_MAX_WAITING,
      },
      transport: DEFAULT_TRANSPORT_LIMITS,
      http: DEFAULT_HTTP_LIMITS,
      webSocket: DEFAULT_WEBSOCKET_LIMITS,
      llm: DEFAULT_LLM_LIMITS,
      process: DEFAULT_PROCESS_TABLE_LIMITS,
      session: DEFAULT_SESSION_LIMITS,
      telemetry: DEFAULT_TELEMETRY_LIMITS,
    });
  });
});
