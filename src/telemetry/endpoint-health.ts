/**
 * Whether an endpoint takes one signal, and who is told when that changes.
 *
 * | state | meaning | leaves by |
 * |---|---|---|
 * | unknown | nothing was sent yet | the first export or probe |
 * | up | the last export or probe was taken | an export that is not |
 * | down | nothing is sent but probes, at growing distances | a probe that is taken |
 */
import { checkEndpoint } from './endpoint-check.ts';
import type { Notice, OtlpSettings, Signal } from './options.ts';
import { otlpAddress } from './otlp-address.ts';

export type HealthState = 'unknown' | 'up' | 'down';

/** Milliseconds between probes: doubled each time. */
const FIRST_PROBE_MS = 1000;
const LAST_PROBE_MS = 30_000;

export interface EndpointHealth {
  readonly state: HealthState;
  /** An export was taken. */
  succeeded(): void;
  /** An export was not taken; probes begin. */
  failed(reason: string): void;
  /** Asks the endpoint now; true when it answers well. */
  probe(): Promise<boolean>;
  /** `listener` is told of every change of state from now on. */
  whenChanged(listener: (state: HealthState) => void): void;
  close(): void;
}

export interface EndpointHealthOptions {
  settings: OtlpSettings;
  notices: EndpointNotices;
}

export function createEndpointHealth(options: EndpointHealthOptions): EndpointHealth {
  const { settings, notices } = options;
  let state: HealthState = 'unknown';
  let delayMs = FIRST_PROBE_MS;
  let timer: NodeJS.Timeout | undefined;
  let probing: Promise<boolean> | undefined;
  let isClosed = false;
  const listeners: ((state: HealthState) => void)[] = [];

  function become(next: HealthState): void {
    if (state !== next) {
      state = next;
      for (const listener of listeners) {
        listener(next);
      }
    }
  }

  function schedule(): void {
    if (isClosed || timer !== undefined) {
      return;
    }
    timer = setTimeout(() => {
      timer = undefined;
      void probe();
    }, delayMs);
    timer.unref();
    delayMs = Math.min(delayMs * 2, LAST_PROBE_MS);
  }

  function failed(reason: string): void {
    notices.down(settings, reason);
    become('down');
    schedule();
  }

  function recover(): void {
    clearTimeout(timer);
    timer = undefined;
    notices.up(settings);
    become('up');
  }

  function succeeded(): void {
    // Only a real export shortens the distance again: an endpoint may take probes and nothing else.
    delayMs = FIRST_PROBE_MS;
    if (state !== 'up') {
      recover();
    }
  }

  async function ask(): Promise<boolean> {
    const verdict = await checkEndpoint(settings);
    if (isClosed) {
      return verdict.ok;
    }
    if (!verdict.ok) {
      failed(verdict.reason);
      return false;
    }
    recover();
    return true;
  }

  function probe(): Promise<boolean> {
    probing ??= ask().finally(() => {
      probing = undefined;
    });
    return probing;
  }

  return {
    get state() {
      return state;
    },
    succeeded,
    failed,
    probe,
    whenChanged(listener) {
      listeners.push(listener);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** One warning per receiver and reason, and one line when it is back, however many signals go there. */
export interface EndpointNotices {
  down(settings: OtlpSettings, reason: string): void;
  up(settings: OtlpSettings): void;
}

/** `hasTree`: traces are printed while their endpoint is down. */
export function createEndpointNotices(notice: Notice, hasTree: boolean): EndpointNotices {
  /** Receiver → signals that are down there, with the reason. */
  const receivers = new Map<string, Map<Signal, string>>();

  return {
    down(settings, reason) {
      const { receiver, display } = otlpAddress(settings);
      const signals = receivers.get(receiver) ?? new Map<Signal, string>();
      receivers.set(receiver, signals);
      if (signals.has(settings.signal)) {
        return;
      }
      const isKnown = [...signals.values()].includes(withoutPath(reason));
      signals.set(settings.signal, withoutPath(reason));
      if (!isKnown && settings.isDefault !== true) {
        const isPrinted = hasTree && settings.signal === 'traces';
        const meanwhile = isPrinted ? ' Traces are printed here meanwhile.' : '';
        notice(
          'warning',
          `the OTLP endpoint ${display} (${settings.protocol}) does not take ${settings.signal}: ${reason}.${meanwhile} Trying again until it does.`,
        );
      }
    },
    up(settings) {
      const { receiver, display } = otlpAddress(settings);
      const signals = receivers.get(receiver);
      const reason = signals?.get(settings.signal);
      if (signals === undefined || reason === undefined) {
        return;
      }
      signals.delete(settings.signal);
      if (![...signals.values()].includes(reason)) {
        notice(
          'info',
          `the OTLP endpoint ${display} takes ${settings.signal} ${settings.isDefault === true ? 'now' : 'again'}`,
        );
      }
    },
  };
}

/** Two signals' reasons are the same trouble even where each names its own path or service. */
function withoutPath(reason: string): string {
  return reason.replace(/\/[\w./]+/g, '');
}
