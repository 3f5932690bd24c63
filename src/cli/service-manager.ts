/**
 * Tells systemd that the service is ready (Type=notify). Node has no unix datagram sockets, so systemd's own
 * `systemd-notify` sends it; the unit needs NotifyAccess=all unless it runs as root.
 * https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
import { spawnSync } from 'node:child_process';
import type { Log } from '../self/log.ts';

const TIMEOUT_MS = 5000;

/** Does nothing unless the service manager asked to be told. */
export function notifyReady(env: NodeJS.ProcessEnv, log: Log): void {
  if (env.NOTIFY_SOCKET === undefined || env.NOTIFY_SOCKET === '') {
    return;
  }
  const sent = spawnSync('systemd-notify', ['--ready', '--no-block', `--pid=${process.pid}`], {
    env,
    stdio: 'ignore',
    timeout: TIMEOUT_MS,
  });
  if (sent.error !== undefined || sent.status !== 0) {
    log.warn('systemd could not be told that sightline is ready: is systemd-notify installed?');
  }
}
