/**
 * Takes the head of an HTTP/1.x message apart: start line and fields.
 * RFC 9112 §2–5, https://www.rfc-editor.org/rfc/rfc9112
 */

import {
  findSecretsInLine,
  maskPlaces,
  type SecretFinder,
  type SecretPlace,
} from '../util/key-shapes.ts';
import { isSecretHeader } from '../util/secret-headers.ts';
import { findSecretsInTarget } from './credentials.ts';
import type { HeaderField } from './exchange.ts';

export interface RequestLine {
  kind: 'request';
  method: string;
  /** With its credentials masked. */
  target: string;
  version: string;
}

export interface StatusLine {
  kind: 'response';
  status: number;
  version: string;
}

export type StartLine = RequestLine | StatusLine;

export interface ParsedHead {
  startLine: StartLine;
  /** Values of secret headers are masked. */
  fields: HeaderField[];
  /** Places of credentials in the text that was parsed. */
  secrets: SecretPlace[];
  /** Lines that are no field (no colon, a name that is no token). */
  malformedLines: number;
  /** Fields beyond the limit; those that frame the body are kept all the same. */
  droppedFields: number;
}

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
const VERSION = /^HTTP\/1\.(\d)$/;
const STATUS_LINE = /^HTTP\/1\.(\d) +(\d{3})(?:[ \t].*)?$/;
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Headers that decide where the body ends or how it is encoded: kept whatever the limit. */
const FRAMING_FIELD =
  /^(?:content-length|transfer-encoding|content-encoding|content-type|connection|upgrade|expect)$/i;

/** Fields whose value is a URL that may carry credentials of its own. */
const URL_FIELD = /^(?:location|content-location|referer|link|origin|refresh|x-forwarded-uri)$/i;

/** Whether a line beyond the head limit still matters. */
export function isFramingLine(line: string): boolean {
  const colon = line.indexOf(':');
  return colon > 0 && FRAMING_FIELD.test(line.slice(0, colon).trimEnd());
}

/** Parses a start line without its line end; undefined when it is none of HTTP/1.x. */
export function parseStartLine(line: string, kind: StartLine['kind']): StartLine | undefined {
  if (kind === 'response') {
    const match = STATUS_LINE.exec(line);
    if (match === null) {
      return undefined;
    }
    return { kind, status: Number(match[2]), version: versionOf(match[1]) };
  }
  return parseRequestLine(line);
}

/** By hand: a target may hold raw spaces in practice, and a pattern that allows them is quadratic. */
function parseRequestLine(line: string): RequestLine | undefined {
  const content = line.trimEnd();
  const methodEnd = content.indexOf(' ');
  const versionStart = content.lastIndexOf(' ') + 1;
  const version = VERSION.exec(content.slice(versionStart));
  const method = content.slice(0, methodEnd);
  const target = content.slice(methodEnd + 1, versionStart).trim();
  if (methodEnd < 0 || version === null || target === '' || !METHOD.test(method)) {
    return undefined;
  }
  return { kind: 'request', method, target, version: versionOf(version[1]) };
}

/**
 * Parses a whole head: latin1 text from the first byte of the start line to the empty line (or without it).
 * Undefined when the start line is none of HTTP/1.x. `findAdded` finds secrets besides those of the built-in rules.
 */
export function parseHead(
  text: string,
  kind: StartLine['kind'],
  maxFields: number,
  findAdded?: SecretFinder,
): ParsedHead | undefined {
  const firstEnd = lineEnd(text, 0);
  const line = text.slice(0, trimCr(text, 0, firstEnd));
  const startLine = parseStartLine(line, kind);
  if (startLine === undefined) {
    return undefined;
  }
  const head: ParsedHead = {
    startLine,
    fields: [],
    secrets: [],
    malformedLines: 0,
    droppedFields: 0,
  };
  if (startLine.kind === 'request') {
    maskTarget(line, startLine, head.secrets, findAdded);
  }
  parseFields(text, firstEnd + 1, maxFields, head, findAdded);
  return head;
}

/** Parses field lines from `start` on, up to an empty line or the end, into `head`. */
export function parseFields(
  text: string,
  start: number,
  maxFields: number,
  head: Omit<ParsedHead, 'startLine'>,
  findAdded?: SecretFinder,
): void {
  let at = start;
  while (at < text.length) {
    let end = lineEnd(text, at);
    let contentEnd = trimCr(text, at, end);
    if (contentEnd === at) {
      return;
    }
    const fieldStart = at;
    let isFolded = false;
    // obs-fold (§5.2): a line that begins with white space goes on with the field before it.
    while (end + 1 < text.length && isBlank(text.charCodeAt(end + 1))) {
      const nextEnd = lineEnd(text, end + 1);
      const nextContentEnd = trimCr(text, end + 1, nextEnd);
      isFolded = true;
      end = nextEnd;
      contentEnd = nextContentEnd;
    }
    parseField(text, fieldStart, contentEnd, isFolded, maxFields, head, findAdded);
    at = end + 1;
  }
}

function parseField(
  text: string,
  start: number,
  end: number,
  isFolded: boolean,
  maxFields: number,
  head: Omit<ParsedHead, 'startLine'>,
  findAdded: SecretFinder | undefined,
): void {
  const colon = text.indexOf(':', start);
  if (colon <= start || colon >= end) {
    head.malformedLines += 1;
    maskWhatIsNoField(text, start, end, head.secrets);
    return;
  }
  const name = text.slice(start, colon).trimEnd();
  if (!FIELD_NAME.test(name)) {
    head.malformedLines += 1;
    maskWhatIsNoField(text, start, end, head.secrets);
    return;
  }
  let valueStart = colon + 1;
  while (valueStart < end && isBlankOrLineEnd(text.charCodeAt(valueStart))) {
    valueStart += 1;
  }
  let valueEnd = end;
  while (valueEnd > valueStart && isBlankOrLineEnd(text.charCodeAt(valueEnd - 1))) {
    valueEnd -= 1;
  }
  let value = text.slice(valueStart, valueEnd);
  const places = secretsOfField(name, value, findAdded);
  if (places.length > 0) {
    value = maskPlaces(value, places);
    for (const place of places) {
      head.secrets.push({ index: valueStart + place.index, length: place.length });
    }
  }
  if (isFolded) {
    value = value.replace(/[ \t]*\r?\n[ \t]+/g, ' ');
  }
  if (head.fields.length >= maxFields && !FRAMING_FIELD.test(name)) {
    head.droppedFields += 1;
    return;
  }
  head.fields.push([name, value]);
}

/** The credentials in a field's value. */
export function secretsOfField(
  name: string,
  value: string,
  findAdded?: SecretFinder,
): SecretPlace[] {
  if (value === '') {
    return [];
  }
  if (isSecretHeader(name)) {
    return [{ index: 0, length: value.length }];
  }
  const places = URL_FIELD.test(name) ? findSecretsInTarget(value) : findSecretsInLine(value);
  // What frames the body must stay readable, or a recording could not be replayed.
  return findAdded === undefined || FRAMING_FIELD.test(name)
    ? places
    : places.concat(findAdded(value));
}

/** A line whose name cannot be read may be anything: all of it is treated as secret. */
function maskWhatIsNoField(text: string, start: number, end: number, secrets: SecretPlace[]): void {
  if (end > start && text.length > 0) {
    secrets.push({ index: start, length: end - start });
  }
}

function maskTarget(
  line: string,
  startLine: RequestLine,
  secrets: SecretPlace[],
  findAdded: SecretFinder | undefined,
): void {
  const places = findSecretsInTarget(startLine.target, findAdded);
  if (places.length === 0) {
    return;
  }
  const targetStart = line.indexOf(startLine.target, startLine.method.length);
  startLine.target = maskPlaces(startLine.target, places);
  for (const place of places) {
    secrets.push({ index: targetStart + place.index, length: place.length });
  }
}

function versionOf(minor: string | undefined): string {
  return minor === '0' ? '1.0' : '1.1';
}

/** Index of the line feed that ends the line at `start`, or the text's length. */
function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

function trimCr(text: string, start: number, end: number): number {
  return end > start && text.charCodeAt(end - 1) === 0x0d ? end - 1 : end;
}

function isBlank(char: number): boolean {
  return char === 0x20 || char === 0x09;
}

function isBlankOrLineEnd(char: number): boolean {
  return isBlank(char) || char === 0x0d || char === 0x0a;
}
