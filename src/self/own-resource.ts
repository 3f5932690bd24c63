/**
 * Who Sightline itself is in its own metrics: the host and one running instance, so that two of them on one host,
 * or on two, never write the same series.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/registry/attributes/service.md
 */

interface OwnHost {
  bootId: string;
  hostName: string;
  machineId?: string;
}

export interface OwnResourceOptions {
  host: OwnHost;
  pid: number;
  /** When this process began, in the ticks of /proc/PID/stat: a pid is used again. */
  startTicks: bigint;
  /** Makes a `service.instance.id` of a name. */
  instanceId(name: string): string;
  /** OTEL_RESOURCE_ATTRIBUTES. They win over what is known of the host, not over the instance. */
  extra: readonly (readonly [name: string, value: string])[];
}

export function ownResource(options: OwnResourceOptions): Record<string, string> {
  const { host, pid, startTicks, extra } = options;
  return {
    'host.name': host.hostName,
    ...(host.machineId === undefined ? {} : { 'host.id': host.machineId }),
    ...Object.fromEntries(extra),
    'service.instance.id': options.instanceId(`sightline/${host.bootId}/${pid}@${startTicks}`),
  };
}
