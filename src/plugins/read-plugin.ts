/** Reads what a plugin's module exports, and says what is wrong with it. */
import { ExitCode, SightlineError } from '../util/errors.ts';
import { type Asked, callHook, type HookFunction } from './hook-call.ts';
import { HOOK_NAMES, type HookName } from './plugin.ts';

/** A plugin ready to be asked, in whichever thread it runs. */
export interface LoadedPlugin {
  name: string;
  guardsContent: boolean;
  hookNames: ReadonlySet<HookName>;
  /**
   * Asks one of its hooks. Whatever goes wrong in there is in the answer. A plugin in a thread of its own that has not
   * answered after so long is ended.
   */
  ask(hook: HookName, view: object, deadlineMs: number): Asked;
  /** `listener` is told, at most once, that the plugin ended without being asked anything. */
  whenEnded(listener: (why: string) => void): void;
  /** Ends its thread, and all that it started; it is not asked again. */
  end(): void;
}

const OTHER_FIELDS: readonly string[] = ['name', 'guardsContent'];

/**
 * A plugin that is called in this thread. `fileName` is what it is called unless it says so itself; `now` is a
 * monotonic clock, in nanoseconds. Throws a SightlineError (SL_PLUGIN).
 */
export function readPlugin(
  from: string,
  module: object,
  fileName: string,
  now?: () => bigint,
): LoadedPlugin {
  const exported = module as Record<string, unknown>;
  const plugin = (exported.default ?? exported) as Record<string, unknown>;
  if (typeof plugin !== 'object' || plugin === null) {
    throw pluginError(from, 'its default export has to be an object with hooks');
  }
  if (exported.default !== undefined) {
    refuseUnknown(from, plugin);
  }
  const { name = fileName, guardsContent = false } = plugin;
  if (typeof name !== 'string' || name === '' || name.length > MAX_PLUGIN_NAME_CHARS) {
    throw pluginError(
      from,
      `its name has to be a text of 1 to ${MAX_PLUGIN_NAME_CHARS} characters`,
    );
  }
  if (typeof guardsContent !== 'boolean') {
    throw pluginError(from, 'its guardsContent has to be true or false');
  }
  const hooks = readHooks(from, plugin);
  return {
    name,
    guardsContent,
    hookNames: new Set(hooks.keys()),
    ask(hook, view) {
      const fn = hooks.get(hook);
      if (fn === undefined) {
        throw new Error(`the plugin ${name} has no hook ${hook}`);
      }
      return callHook(fn, hook, view, now);
    },
    whenEnded: () => {},
    end: () => {},
  };
}

const MAX_PLUGIN_NAME_CHARS = 64;

function readHooks(from: string, plugin: Record<string, unknown>): Map<HookName, HookFunction> {
  const hooks = new Map<HookName, HookFunction>();
  for (const hook of HOOK_NAMES) {
    const fn = plugin[hook];
    if (fn === undefined) {
      continue;
    }
    if (typeof fn !== 'function') {
      throw pluginError(from, `its ${hook} is no function`);
    }
    if (fn.constructor.name === 'AsyncFunction') {
      throw pluginError(from, `its ${hook} is an async function, but hooks are synchronous`);
    }
    hooks.set(hook, (view) => (fn as (this: object, view: object) => unknown).call(plugin, view));
  }
  if (hooks.size === 0) {
    throw pluginError(from, `it has no hook: export one of ${HOOK_NAMES.join(', ')}`);
  }
  return hooks;
}

/** A misspelt hook would otherwise never be called, and nobody would know. */
function refuseUnknown(from: string, plugin: Record<string, unknown>): void {
  const known = [...HOOK_NAMES, ...OTHER_FIELDS];
  const stranger = Object.keys(plugin).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    throw pluginError(from, `it has ${stranger}, which is none of ${known.join(', ')}`);
  }
}

/** What all errors of plugins at the start are. */
export function pluginError(name: string, what: string, cause?: unknown): SightlineError {
  return new SightlineError('SL_PLUGIN', `SIGHTLINE_PLUGINS has ${name}, but ${what}`, {
    exitCode: ExitCode.usage,
    cause,
  });
}
