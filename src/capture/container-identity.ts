/** Finds the container and the Kubernetes pod of a process in the paths of its control groups (cgroups(7)). */

export interface ContainerIdentity {
  /** 64 hexadecimal digits, or the runtime's other form of an id. */
  containerId?: string;
  podUid?: string;
}

/**
 * A group of a container: its id alone (the cgroupfs driver of Docker, containerd and Podman), or behind the runtime's
 * name: `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`, `nerdctl-ID.scope`.
 */
const CONTAINER = /^(?:[a-z][a-z-]*-)?([0-9a-f]{64})(?:\.scope)?$/;

/** The monitor that Podman and CRI-O start beside a container has a group of the same name, but is outside. */
const MONITOR = /^(?:[a-z-]*-)?conmon-/;

/** Amazon ECS on Fargate writes the task's id with a counter. */
const TASK_CONTAINER = /^([0-9a-f]{32}-\d{6,10})$/;

/** `kubepods-burstable-podUID.slice`, where systemd has `_` for `-`, or `podUID`; static pods have a hash as uid. */
const POD =
  /^(?:(?:[a-z]+-)*kubepods(?:-[a-z]+)?-)?pod([0-9a-f]{8}([-_])(?:[0-9a-f]{4}\2){3}[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;

/** `cgroups`: the paths of a process's control groups. Of nested containers it is in the innermost one. */
export function containerOf(cgroups: readonly string[]): ContainerIdentity {
  const result: ContainerIdentity = {};
  for (const path of cgroups) {
    // containerd, where its driver and the kubelet's differ, writes SLICE:cri-containerd:ID as one name.
    const components = path.split(/[/:]/).reverse();
    const podUid = firstOf(components, uidOfPod);
    if (podUid !== undefined) {
      result.podUid ??= podUid;
    }
    const containerId = firstOf(components, idOfContainer);
    if (containerId !== undefined) {
      result.containerId ??= containerId;
    }
  }
  return result;
}

function uidOfPod(component: string): string | undefined {
  return POD.exec(component)?.[1]?.replaceAll('_', '-');
}

function idOfContainer(component: string): string | undefined {
  if (MONITOR.test(component)) {
    return undefined;
  }
  return (CONTAINER.exec(component) ?? TASK_CONTAINER.exec(component))?.[1];
}

function firstOf(
  components: readonly string[],
  find: (component: string) => string | undefined,
): string | undefined {
  for (const component of components) {
    const found = find(component);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}
