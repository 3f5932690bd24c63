/** Rules between settings that one setting's format cannot know. */
import { ExitCode, SightlineError } from '../util/errors.ts';
import { otlpSettings, SIGNALS } from './otlp-settings.ts';
import type { Config } from './schema.ts';

/** Throws a SightlineError that names both variables when two values contradict each other. */
export function checkTogether(config: Config): void {
  checkBatch('OTEL_BSP', config.traces.batch);
  checkBatch('OTEL_BLRP', config.logs.batch);
  for (const signal of SIGNALS) {
    const otlp = otlpSettings(config, signal);
    if (otlp === undefined) {
      continue;
    }
    if (otlp.protocol === 'http/protobuf' && !/^https?:\/\//i.test(otlp.url)) {
      throw contradiction(
        `the OTLP endpoint of ${signal} is ${otlp.url}, but http/protobuf needs a URL: write http://${otlp.url} or https://${otlp.url}, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc`,
      );
    }
    if ((otlp.clientKeyFile === undefined) !== (otlp.clientCertificateFile === undefined)) {
      throw contradiction(
        `of OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE only one is set for ${signal}: set both or neither`,
      );
    }
  }
}

/**
 * A queue made smaller than the default batch takes the default batch with it: only a batch size that someone
 * wrote down can contradict the queue. `isGiven` tells whether the setting at a path was given a value.
 */
export function fitBatchToQueue(config: Config, isGiven: (path: string) => boolean): Config {
  const fitted = (signal: 'traces' | 'logs'): Config['traces']['batch'] => {
    const { batch } = config[signal];
    return isGiven(`${signal}.batch.maxExportBatchSize`)
      ? batch
      : { ...batch, maxExportBatchSize: Math.min(batch.maxExportBatchSize, batch.maxQueueSize) };
  };
  return {
    ...config,
    traces: { ...config.traces, batch: fitted('traces') },
    logs: { ...config.logs, batch: fitted('logs') },
  };
}

function checkBatch(
  prefix: string,
  batch: { readonly maxQueueSize: number; readonly maxExportBatchSize: number },
): void {
  if (batch.maxExportBatchSize > batch.maxQueueSize) {
    throw contradiction(
      `${prefix}_MAX_EXPORT_BATCH_SIZE is ${batch.maxExportBatchSize}, but ${prefix}_MAX_QUEUE_SIZE is ${batch.maxQueueSize}: a batch can be no larger than the queue`,
    );
  }
}

function contradiction(message: string): SightlineError {
  return new SightlineError('SL_CONFIG_VALUE', message, { exitCode: ExitCode.usage });
}
