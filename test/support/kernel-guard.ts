/** Skips tests of the real kernel, loudly and once, where it cannot be watched; fails them where it must be. */
import { existsSync } from 'node:fs';
import type { Context } from 'mocha';

const BTF = '/sys/kernel/btf/vmlinux';

let hasSaid = false;

/** Why capture is impossible here; undefined when it is not. */
export function kernelObstacle(): string | undefined {
  if (process.geteuid?.() !== 0) {
    return 'not root';
  }
  if (!existsSync(BTF)) {
    return `no ${BTF}: the kernel is built without BTF`;
  }
  return undefined;
}

/** To be called in `before`. With SIGHTLINE_REQUIRE_KERNEL=1 an obstacle is a failure. */
export function requireKernel(context: Context): void {
  const obstacle = kernelObstacle();
  if (obstacle === undefined) {
    return;
  }
  if (process.env.SIGHTLINE_REQUIRE_KERNEL === '1') {
    throw new Error(`the kernel tests are required, but cannot run here: ${obstacle}`);
  }
  if (!hasSaid) {
    hasSaid = true;
    process.stderr.write(
      `\n*** KERNEL TESTS SKIPPED: ${obstacle}. Run them with "sudo npm test". ***\n\n`,
    );
  }
  context.skip();
}

/** Skips one test, or from a `before` all of its suite, and says loudly what it lacks. */
export function skipWithout(context: Context, needed: string): never {
  const title = context.test?.fullTitle() ?? 'a test';
  process.stderr.write(`*** SKIPPED: ${title} (needs ${needed})\n`);
  return context.skip();
}
