/** A telemetry room whose terminal and notices are kept for looking at. */
import type { OtlpSettings, TelemetryOptions } from '../../src/telemetry/options.ts';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { HOST } from './story-pieces.ts';

export interface TelemetryHarness {
  telemetry: Telemetry;
  /** All text written to the terminal. */
  printed(): string;
  notices: { level: string; message: string }[];
}

/** Nothing is exported unless `options` say so; the host event was given. */
export function startTelemetry(options: Partial<TelemetryOptions> = {}): TelemetryHarness {
  let printed = '';
  const notices: { level: string; message: string }[] = [];
  const telemetry = createTelemetry({
    version: '9.9.9',
    traces: { kind: 'none' },
    metrics: { kind: 'none' },
    logs: { kind: 'none' },
    terminal: {
      write(text) {
        printed += text;
      },
    },
    notice: (level, message) => notices.push({ level, message }),
    ...options,
  });
  telemetry.host(HOST);
  return { telemetry, printed: () => printed, notices };
}

/** All three signals to one receiver. */
export function exportTo(
  protocol: OtlpSettings['protocol'],
  base: string,
  settings: Partial<OtlpSettings> = {},
): Pick<TelemetryOptions, 'traces' | 'metrics' | 'logs'> {
  const exporter = (signal: OtlpSettings['signal']) => ({
    kind: 'otlp' as const,
    otlp: {
      signal,
      protocol,
      url: protocol === 'grpc' ? base : `${base}/v1/${signal}`,
      timeoutMs: 3000,
      ...settings,
    },
  });
  return { traces: exporter('traces'), metrics: exporter('metrics'), logs: exporter('logs') };
}

/** Resolves once `condition` holds; rejects after `limitMs`. */
export async function until(condition: () => boolean, what: string, limitMs = 8000): Promise<void> {
  const stepMs = 10;
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += stepMs) {
    if (condition()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
  throw new Error(`after ${limitMs} ms there was still no ${what}`);
}
