/**
 * The resources of what is observed: one per workload for spans and logs, one per service for metrics.
 * https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/resource
 */
import type { Attributes } from '@opentelemetry/api';
import { SDK_INFO } from '@opentelemetry/core';
import type { HostEvent } from '../capture/events.ts';
import type { Workload } from '../session/story.ts';
import { serviceInstanceId } from './deterministic-uuid.ts';
import { putProcess } from './process-attributes.ts';
import { Attr } from './semconv.ts';
import { put } from './span-description.ts';

export interface ResourceContext {
  host: HostEvent;
  /** OTEL_RESOURCE_ATTRIBUTES: they win over what we know of the host, not over who the workload is. */
  extra: readonly (readonly [name: string, value: string])[];
  redact: (text: string) => string;
}

/** https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/registry/attributes/host.md */
const ARCHITECTURES: Record<string, string> = {
  x64: 'amd64',
  x86_64: 'amd64',
  aarch64: 'arm64',
  arm: 'arm32',
  armv7l: 'arm32',
  ia32: 'x86',
  i386: 'x86',
  i686: 'x86',
  ppc64le: 'ppc64',
};

/** Of spans and log records. */
export function workloadResource(workload: Workload, context: ResourceContext): Attributes {
  const { root } = workload;
  const attributes = hostAttributes(context);
  attributes[Attr.serviceName] = workload.name;
  put(attributes, Attr.serviceVersion, root.packageVersion);
  attributes[Attr.serviceInstanceId] = serviceInstanceId(
    `${context.host.bootId}/${root.ref.pid}@${root.ref.startNs}`,
  );
  putProcess(attributes, root, context.redact);
  put(attributes, Attr.processOwner, root.owner);
  put(attributes, Attr.containerId, root.containerId);
  put(attributes, Attr.podUid, root.podUid);
  return attributes;
}

/** Of metrics: no process, so that 23 runs of one program are one series; the instance is the host. */
export function serviceResource(serviceName: string, context: ResourceContext): Attributes {
  const { host } = context;
  const attributes = hostAttributes(context);
  attributes[Attr.serviceName] = serviceName;
  attributes[Attr.serviceInstanceId] = serviceInstanceId(host.machineId ?? host.hostName);
  return attributes;
}

function hostAttributes(context: ResourceContext): Attributes {
  const { host, extra } = context;
  const attributes: Attributes = {
    [Attr.hostName]: host.hostName,
    [Attr.hostArch]: ARCHITECTURES[host.arch] ?? host.arch,
    [Attr.osType]: 'linux',
  };
  put(attributes, Attr.osDescription, host.osDescription === '' ? undefined : host.osDescription);
  put(attributes, Attr.hostId, host.machineId);
  for (const [name, value] of extra) {
    attributes[name] = value;
  }
  attributes[Attr.sdkName] = SDK_INFO['telemetry.sdk.name'];
  attributes[Attr.sdkLanguage] = SDK_INFO['telemetry.sdk.language'];
  attributes[Attr.sdkVersion] = SDK_INFO['telemetry.sdk.version'];
  return attributes;
}

/**
 * Whether two looks at a workload give the same resource. Details of a process are looked up after it was first
 * seen, and a process may start another program: its resource changes then.
 */
export function resourceSignature(workload: Workload): string {
  const { root } = workload;
  return [
    workload.name,
    root.programs.length,
    root.owner,
    root.containerId,
    root.podUid,
    root.packageVersion,
  ].join('\u0000');
}
