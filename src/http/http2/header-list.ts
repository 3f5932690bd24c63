/**
 * Sorts the decoded fields of a header block into what a request or response head is made of.
 * RFC 9113 §8.3, https://www.rfc-editor.org/rfc/rfc9113#section-8.3
 */
import { type HeaderField, Headers } from '../exchange.ts';
import type { HttpLimits } from '../limits.ts';

/** Fields that decide how the body is read: kept whatever the limit. */
const BODY_FIELD = /^(?:content-length|content-encoding|content-type)$/;

export class HeaderList {
  method: string | undefined;
  path: string | undefined;
  authority: string | undefined;
  status: number | undefined;
  /** Extended CONNECT (RFC 8441 §4). */
  protocol: string | undefined;
  /** Fields whose name or value could not be known. */
  unknownFields = 0;
  /** The first field is one of these: pseudo-header fields come first, so it was one. */
  isFirstUnknown = false;
  /** Regular fields not kept. */
  droppedFields = 0;
  /** A pseudo-header field that is none, or has a value that it cannot have. */
  malformedFields = 0;
  private count = 0;
  private fields: HeaderField[] = [];
  private bytes = 0;
  private readonly limits: HttpLimits;

  constructor(limits: HttpLimits) {
    this.limits = limits;
  }

  add(name: string | undefined, value: string | undefined): void {
    this.count += 1;
    if (name === undefined || value === undefined) {
      this.unknownFields += 1;
      this.isFirstUnknown ||= this.count === 1;
      return;
    }
    if (name.charCodeAt(0) === 0x3a) {
      this.addPseudo(name, value);
      return;
    }
    this.bytes += name.length + value.length;
    const isFull =
      this.bytes > this.limits.maxHeadBytes || this.fields.length >= this.limits.maxHeaderFields;
    if (isFull && !(BODY_FIELD.test(name) && !this.has(name))) {
      this.droppedFields += 1;
      return;
    }
    this.fields.push([name, value]);
  }

  private has(name: string): boolean {
    return this.fields.some(([fieldName]) => fieldName === name);
  }

  private addPseudo(name: string, value: string): void {
    switch (name) {
      case ':method':
        this.method = this.bounded(value);
        break;
      case ':path':
        this.path = this.bounded(value);
        break;
      case ':authority':
        this.authority = this.bounded(value);
        break;
      case ':status':
        if (/^[1-9]\d\d$/.test(value)) {
          this.status = Number(value);
        } else {
          this.malformedFields += 1;
        }
        break;
      case ':protocol':
        this.protocol = this.bounded(value);
        break;
      case ':scheme':
        break;
      default:
        this.malformedFields += 1;
    }
  }

  private bounded(value: string): string {
    if (value.length <= this.limits.maxHeadBytes) {
      return value;
    }
    this.droppedFields += 1;
    return value.slice(0, this.limits.maxHeadBytes);
  }

  /** The regular fields alone, as for trailers. */
  regular(): Headers {
    return new Headers(this.fields);
  }

  /**
   * A request's fields. Where it has no `host` field, one stands for `:authority` (RFC 9113 §8.3.1), so that
   * whoever looks for the host finds it under one name in every version; `:protocol` keeps its own.
   */
  request(): Headers {
    const { authority, protocol } = this;
    const front: HeaderField[] = [];
    if (authority !== undefined && !this.has('host')) {
      front.push(['host', authority]);
    }
    if (protocol !== undefined) {
      front.push([':protocol', protocol]);
    }
    return new Headers(front.length === 0 ? this.fields : [...front, ...this.fields]);
  }

  get hasPseudo(): boolean {
    return this.method !== undefined || this.status !== undefined || this.path !== undefined;
  }
}
