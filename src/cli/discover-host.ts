/** Examines the processes of this host without attaching to anything. */
import { loadBinding } from '../capture/binding.ts';
import { createProcessSelection } from '../capture/process-selection.ts';
import type { Config } from '../config/schema.ts';
import { createRedaction } from '../redaction.ts';
import { type DiscoveredProcess, discoverProcesses } from '../targets/discovery.ts';
import { createLocatorCache } from '../targets/locator-cache.ts';
import { createTargetFinder } from '../targets/target-finder.ts';
import { createTlsLocator } from '../targets/tls-location.ts';
import { createTlsVersions } from '../targets/tls-version.ts';

/** Throws SL_ADDON_MISSING (exit code 3) when the addon, which examines the files, is not built. */
export function examineHost(
  config: Pick<Config, 'target' | 'exclude' | 'limits' | 'content'>,
): DiscoveredProcess[] {
  const { maxRemembered, maxAttached } = config.limits.targets;
  const finder = createTargetFinder({
    locator: createTlsLocator({ binding: loadBinding(), cache: createLocatorCache() }),
    maxRemembered,
    maxAttached,
  });
  try {
    return discoverProcesses({
      finder,
      selection: createProcessSelection({ targets: config.target, exclude: config.exclude }),
      versions: createTlsVersions(),
      maskArguments: createRedaction(config).argv,
    });
  } finally {
    finder.stop();
  }
}
