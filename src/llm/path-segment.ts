/** A segment of a path that names a model, without its percent-encoding (RFC 3986 §2.1). */

/** As it is when its percent signs encode nothing. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
