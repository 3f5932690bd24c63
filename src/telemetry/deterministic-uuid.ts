/** Name-based UUIDs (version 5), so that the same workload has the same id in a live run and in its replay. */
import { createHash } from 'node:crypto';

/**
 * The namespace the conventions set apart for `service.instance.id`.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/registry/attributes/service.md
 */
const SERVICE_INSTANCE_NAMESPACE = Buffer.from('4d63009a8d0f11eeaad74c796ed8e320', 'hex');

/** RFC 9562 §5.5. */
export function serviceInstanceId(name: string): string {
  const digest = createHash('sha1').update(SERVICE_INSTANCE_NAMESPACE).update(name).digest();
  const bytes = digest.subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
