/** Azure names the model in the path: `/openai/deployments/NAME/…`, whatever the API behind it. */
import { decodedSegment } from './path-segment.ts';

const DEPLOYMENT = /\/deployments\/([^/]+)\//;

/** Name of the deployment, decoded. */
export function deploymentOf(path: string): string | undefined {
  const name = DEPLOYMENT.exec(path)?.[1];
  return name === undefined ? undefined : decodedSegment(name);
}
