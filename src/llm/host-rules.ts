/** The hosts that the configuration adds: which wire API a request to one speaks, and whose server it is. */
import type { LlmHost } from '../config/llm-hosts.ts';
import { globPattern } from '../util/glob.ts';
import type { ServerAddress } from './server-address.ts';
import type { CallTarget, WireApiReader } from './wire-api.ts';
import { WIRE_APIS } from './wire-apis.ts';

export interface HostRules {
  /** The API of the first rule that fits; undefined: what is built in decides. */
  apiOf(address: ServerAddress, target: CallTarget): WireApiReader | undefined;
  /** gen_ai.provider.name of the first rule that fits and has one. */
  providerOf(address: ServerAddress, path: string): string | undefined;
}

const NAME = { of: 'name' } as const;

/** A longer path is no one's: many stars in a pattern take long on a long text. */
const MAX_PATH_CHARS = 1024;

interface Rule {
  rule: LlmHost;
  host: RegExp;
  path: RegExp | undefined;
}

export function createHostRules(hosts: readonly LlmHost[]): HostRules {
  const rules: Rule[] = hosts.map((rule) => ({
    rule,
    host: globPattern(rule.host, NAME),
    path: rule.path === undefined ? undefined : globPattern(withoutEnd(rule.path), NAME),
  }));

  function fits({ rule, host, path }: Rule, address: ServerAddress, requested: string): boolean {
    if (requested.length > MAX_PATH_CHARS || address.host.length > MAX_PATH_CHARS) {
      return false;
    }
    const isPort = rule.port === undefined || rule.port === address.port;
    return isPort && host.test(address.host) && (path === undefined || path.test(requested));
  }

  return {
    apiOf(address, target) {
      for (const rule of rules) {
        const api = fits(rule, address, target.path) ? apiOf(rule.rule, target) : undefined;
        if (api !== undefined) {
          return api;
        }
      }
      return undefined;
    },
    providerOf(address, path) {
      const found = rules.find((one) => one.rule.provider && fits(one, address, path));
      return found?.rule.provider;
    },
  };
}

/** A path that a rule names is what the rule says; elsewhere the API's own paths count, so that nothing else is taken. */
function apiOf({ api, path }: LlmHost, target: CallTarget): WireApiReader | undefined {
  if (path !== undefined) {
    const named = WIRE_APIS.find((candidate) => candidate.api === api);
    if (named !== undefined) {
      return named;
    }
  }
  return WIRE_APIS.find(
    (candidate) =>
      (candidate.api === api || candidate.api.startsWith(`${api}.`)) && candidate.matches(target),
  );
}

/** As `pathOf` gives paths. */
function withoutEnd(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}
