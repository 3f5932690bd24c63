/** Finds the container and the Kubernetes pod of a process in its cgroup paths (cgroups(7)). */

export interface ContainerIdentity {
  /** 64 hexadecimal digits, or the runtime's other form of an id. */
  containerId?: string;
  podUid?: string;
}

/**
 * The last path component of containers of Docker (`docker-ID.scope`, `/docker/ID`), containerd
 * (`cri-containerd-ID.scope`), CRI-O (`crio-ID.scope`) and Podman (`libpod-ID.scope`).
 */
const CONTAINER = /^(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?$/;

/** Amazon ECS and Garden write a UUID-like id with a counter. */
const TASK_CONTAINER = /^([0-9a-f]{32}-\d{6,10})$/;

/** `kubepods-burstable-podUID.slice`, where systemd has `_` for `-`, or `/kubepods/burstable/podUID`. */
const POD = /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})/;

/** Takes the content of /proc/PID/cgroup. */
export function parseContainer(cgroups: string): ContainerIdentity {
  const result: ContainerIdentity = {};
  for (const line of cgroups.split('\n')) {
    // hierarchy:controllers:path; a path can hold colons.
    const path = line.split(':').slice(2).join(':');
    const podUid = POD.exec(path)?.[1]?.replaceAll('_', '-');
    if (podUid) {
      result.podUid ??= podUid;
    }
    // Innermost last; a process may sit in a sub-group its container made.
    for (const component of path.split('/').reverse()) {
      const containerId = (CONTAINER.exec(component) ?? TASK_CONTAINER.exec(component))?.[1];
      if (containerId) {
        result.containerId ??= containerId;
        break;
      }
    }
  }
  return result;
}
