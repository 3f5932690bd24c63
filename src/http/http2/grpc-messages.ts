/**
 * Counts the length-prefixed messages of a gRPC body, wherever it is split.
 * gRPC over HTTP/2, Length-Prefixed-Message, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */

/** A flag byte and the message's length in four bytes. */
const PREFIX_BYTES = 5;

export class GrpcMessages {
  /** Messages that are whole. */
  count = 0;
  private prefixBytes = 0;
  private remaining = 0;
  private isCompressed = false;

  /** `onCompressed` is told of bytes of messages that are compressed, as indices. */
  push(bytes: Uint8Array, onCompressed?: (from: number, to: number) => void): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.prefixBytes === PREFIX_BYTES) {
        const size = Math.min(this.remaining, bytes.length - at);
        this.remaining -= size;
        if (this.isCompressed) {
          onCompressed?.(at, at + size);
        }
        at += size;
      } else {
        if (this.prefixBytes === 0) {
          this.isCompressed = bytes[at] !== 0;
        }
        this.remaining = this.prefixBytes === 0 ? 0 : this.remaining * 256 + (bytes[at] as number);
        this.prefixBytes += 1;
        at += 1;
      }
      if (this.prefixBytes === PREFIX_BYTES && this.remaining === 0) {
        this.count += 1;
        this.prefixBytes = 0;
      }
    }
  }
}
