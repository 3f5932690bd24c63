/** Checks that every signal which is to go out by OTLP finds somebody who takes it. */
import { otlpSettings, type ResolvedOtlp, SIGNALS } from '../config/otlp-settings.ts';
import type { Config } from '../config/schema.ts';
import { scrubTarget } from '../http/credentials.ts';
import { checkEndpoint } from '../telemetry/endpoint-check.ts';
import { type CheckResult, fail, note, pass } from './check-result.ts';

export async function checkEndpoints(config: Config): Promise<CheckResult[]> {
  const wanted = SIGNALS.map((signal) => otlpSettings(config, signal)).filter(
    (settings) => settings !== undefined,
  );
  const results = await Promise.all(wanted.map(checkOne));
  // That nobody listens where nobody was told to send is worth one line, not one for each signal.
  const first = results.findIndex(({ status }) => status === 'note');
  return results.filter(({ status }, index) => status !== 'note' || index === first);
}

async function checkOne(settings: ResolvedOtlp): Promise<CheckResult> {
  // A key may stand in the query, and the report is copied around.
  const place = `${scrubTarget(settings.url)} (${settings.protocol})`;
  const verdict = await checkEndpoint(settings);
  if (verdict.ok) {
    return pass(`otlp ${settings.signal}`, place);
  }
  if (settings.isDefault) {
    return note(
      'otlp',
      `no endpoint is set, and nothing takes OTLP at ${place}`,
      'traces are printed in the terminal; set OTEL_EXPORTER_OTLP_ENDPOINT to export them',
    );
  }
  return fail(
    `otlp ${settings.signal}`,
    `${place}: ${scrubTarget(verdict.reason)}`,
    'start the receiver, or correct OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL',
  );
}
