/**
 * The limit of every buffer and table that grows with what is observed. Reaching one is recorded as damage or
 * counted, and never makes anything grow further.
 */
import { count, size } from './format.ts';
import { required } from './key.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export const limitKeys = {
  connections: required(
    'SIGHTLINE_LIMIT_CONNECTIONS',
    count({ min: 1, max: 10_000_000 }),
    16_384,
    'Connections followed at one time; the longest idle one is given up for a new one.',
  ),
  headerBytes: required(
    'SIGHTLINE_LIMIT_HEADER_BYTES',
    size({ min: 1 * KIB, max: 64 * MIB }),
    256 * KIB,
    'Size of the head of one HTTP message.',
  ),
} as const;
