/** Checks that every signal which is to go out by OTLP finds somebody who takes it. */
import { otlpSettings, type ResolvedOtlp, SIGNALS } from '../config/otlp-settings.ts';
import type { Config } from '../config/schema.ts';
import { checkEndpoint } from '../telemetry/endpoint-check.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

export async function checkEndpoints(config: Config): Promise<CheckResult[]> {
  const wanted = SIGNALS.map((signal) => otlpSettings(config, signal)).filter(
    (settings) => settings !== undefined,
  );
  return await Promise.all(wanted.map(checkOne));
}

async function checkOne(settings: ResolvedOtlp): Promise<CheckResult> {
  const name = `otlp ${settings.signal}`;
  const place = `${settings.url} (${settings.protocol})`;
  const verdict = await checkEndpoint(settings);
  if (verdict.ok) {
    return pass(name, place);
  }
  if (settings.isDefault) {
    return note(
      name,
      `no endpoint is set, and nothing answers at ${place}`,
      'traces are printed in the terminal; set OTEL_EXPORTER_OTLP_ENDPOINT to export them',
    );
  }
  return fail(
    name,
    `${place}: ${verdict.reason}`,
    'start the receiver, or correct OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL',
  );
}
