/**
 * What the two sides of a WebSocket agreed on: the Sec-WebSocket-Extensions of the response.
 * RFC 6455 §9.1, RFC 7692 §7.1, https://www.rfc-editor.org/rfc/rfc7692#section-7.1
 */
import type { WebSocketCompression } from './websocket.ts';

export interface AgreedExtensions {
  compression: WebSocketCompression;
  /** The server's (client's) messages do not refer to earlier ones of theirs. */
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
}

/** Neither name nor value of a parameter has a comma or a semicolon, not even within quotes. */
const PARAMETER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"([^"]*)"|([^"\s]+)))?$/;

export const UNKNOWN_EXTENSIONS: AgreedExtensions = {
  compression: 'unknown',
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
};

/**
 * `value` is the response's header; undefined when it has none. A list that is malformed, or that holds another
 * extension than permessage-deflate, agrees on something unknown: what a frame's reserved bits mean is unknown too.
 */
export function agreedExtensions(value: string | undefined): AgreedExtensions {
  const agreed: AgreedExtensions = {
    compression: 'none',
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
  };
  for (const element of (value ?? '').split(',')) {
    const [name, ...parameters] = element.split(';').map((part) => part.trim());
    if (name === '' && parameters.length === 0) {
      continue;
    }
    const isSecond = agreed.compression !== 'none';
    if (name?.toLowerCase() !== 'permessage-deflate' || isSecond) {
      return UNKNOWN_EXTENSIONS;
    }
    agreed.compression = 'permessage-deflate';
    if (!parameters.every((parameter) => takeParameter(agreed, parameter))) {
      return UNKNOWN_EXTENSIONS;
    }
  }
  return agreed;
}

/** A smaller window than 32 KiB needs nothing of a decoder that has one of 32 KiB: only its validity counts. */
function takeParameter(agreed: AgreedExtensions, parameter: string): boolean {
  const match = PARAMETER.exec(parameter);
  const value = match?.[2] ?? match?.[3];
  switch (match?.[1]?.toLowerCase()) {
    case 'server_no_context_takeover':
      agreed.serverNoContextTakeover = true;
      return value === undefined;
    case 'client_no_context_takeover':
      agreed.clientNoContextTakeover = true;
      return value === undefined;
    case 'server_max_window_bits':
    case 'client_max_window_bits':
      return value !== undefined && /^(?:[89]|1[0-5])$/.test(value);
    default:
      return false;
  }
}
