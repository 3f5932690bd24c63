/** Bytes ↔ text one to one, so that an index in the text is an offset in the bytes. */

/** The text of `bytes[start, end)`, one UTF-16 unit (0–255) per byte. */
export function latin1Text(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', start, end);
}
