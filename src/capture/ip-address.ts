/** Addresses of sockets, as the kernel has them, in their usual text form (RFC 5952). */

/** A mapped address is that of an IPv4 peer on a socket that takes both (RFC 4291, 2.5.5.2). */
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** `bytes` in the order of the network: 16, of which an address of version 4 has the first four. */
export function ipAddressText(bytes: Uint8Array, version: 4 | 6): string {
  if (version === 4) {
    return bytes.subarray(0, 4).join('.');
  }
  if (MAPPED_PREFIX.every((byte, index) => bytes[index] === byte)) {
    return bytes.subarray(12, 16).join('.');
  }
  return shortened(groupsOf(bytes));
}

function groupsOf(bytes: Uint8Array): number[] {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) {
    groups.push((bytes[at]! << 8) | bytes[at + 1]!);
  }
  return groups;
}

/** The longest run of at least two zero groups, the first of equals, becomes `::`. */
function shortened(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let from = 0; from < groups.length; from += 1) {
    let to = from;
    while (groups[to] === 0) {
      to += 1;
    }
    if (to - from > length) {
      start = from;
      length = to - from;
    }
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  return start < 0
    ? text(groups)
    : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
