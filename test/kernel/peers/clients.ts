/** Programs on every TLS stack that this machine has, as clients of a tapped server. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TlsStack } from '../../../src/capture/events.ts';
import type { Session } from '../native/harness.ts';
import { attachLocated } from '../stacks/stack-run.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const library = (name: string): string => `/usr/lib/${FOLDER}/${name}`;
const PYTHON = '/usr/bin/python3';

/** Arguments: address, port, file of the authority, number of connections with a request each. */
const PYTHON_SYNC = `
import http.client, ssl, sys
host, port, ca, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=ca)
for number in range(count):
    connection = http.client.HTTPSConnection(host, port, context=context)
    connection.request('POST', '/v1/messages', b'abc' * 2000)
    connection.getresponse().read()
    connection.close()
`;
const PYTHON_ASYNC = `
import asyncio, ssl, sys
host, port, ca, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
async def post(context, number):
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    body = b'x' * (1000 + number)
    head = f'POST /v1/messages HTTP/1.1\\r\\nhost: localhost\\r\\ncontent-length: {len(body)}\\r\\nconnection: close\\r\\n\\r\\n'
    writer.write(head.encode() + body)
    await reader.read()
    writer.close()
async def main():
    context = ssl.create_default_context(cafile=ca)
    await asyncio.gather(*(post(context, number) for number in range(count)))
asyncio.run(main())
`;
const NODE_PARALLEL = `
const https = require('node:https');
const { readFileSync } = require('node:fs');
const [host, port, ca, count] = process.argv.slice(1);
const agent = new https.Agent({ ca: readFileSync(ca), keepAlive: false });
for (let number = 0; number < Number(count); number++) {
  const options = { port, host, agent, method: 'POST', path: '/v1/messages' };
  const request = https.request(options, (response) => response.resume());
  request.end(Buffer.alloc(1000 + number));
}
`;

export interface ServerPlace {
  host: string;
  port: number;
  caPath: string;
}

function urlOf({ host, port }: ServerPlace): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}/v1/messages`;
}

export interface ClientCase {
  name: string;
  stack: TlsStack;
  /** Files with probes, and what is to be found in them. */
  files: readonly string[];
  /** Whether the socket is used in the calls themselves. */
  isInferred: boolean;
  /** Connections that \`count\` requests make. */
  connections(count: number): number;
  /** The command; undefined where the machine has not what it takes. */
  command(folder: string, at: ServerPlace, count: number): readonly string[] | undefined;
}

function curl(stack: TlsStack, name: string, files: readonly string[]): ClientCase {
  return {
    name: `libcurl on ${stack}`,
    stack,
    files,
    isInferred: false,
    connections: () => 1,
    command(folder, at, count) {
      if (![library(name), ...files].every((path) => existsSync(path))) {
        return undefined;
      }
      const source = fileURLToPath(new URL('../stacks/curl-client.c', import.meta.url));
      const program = join(folder, `curl-${stack}`);
      execFileSync('gcc', ['-O2', '-o', program, source, library(name)]);
      return [program, urlOf(at), at.caPath, `${count}`, '3001'];
    },
  };
}

function python(name: string, script: string, isInferred: boolean): ClientCase {
  return {
    name,
    stack: 'openssl',
    files: [library('libssl.so.3')],
    isInferred,
    connections: (count) => count,
    command: (_folder, { host, port, caPath }, count) =>
      existsSync(PYTHON) ? [PYTHON, '-c', script, host, `${port}`, caPath, `${count}`] : undefined,
  };
}

export const GO_CLIENT = 'go-client';

export const CLIENT_CASES: readonly ClientCase[] = [
  curl('openssl', 'libcurl.so.4', [library('libssl.so.3')]),
  curl('gnutls', 'libcurl-gnutls.so.4', [library('libgnutls.so.30')]),
  curl('nss', 'libcurl-nss.so.4', [library('libnspr4.so'), library('libssl3.so')]),
  python('Python', PYTHON_SYNC, false),
  python("Python's asyncio", PYTHON_ASYNC, true),
  {
    name: 'Node',
    stack: 'openssl',
    files: [process.execPath],
    isInferred: true,
    connections: (count) => count,
    command: (_folder, { host, port, caPath }, count) => [
      process.execPath,
      '-e',
      NODE_PARALLEL,
      host,
      `${port}`,
      caPath,
      `${count}`,
    ],
  },
  {
    name: 'Go',
    stack: 'go',
    files: [GO_CLIENT],
    isInferred: false,
    connections: (count) => count,
    command(folder, at, count) {
      if (spawnSync('go', ['version']).status !== 0) {
        return undefined;
      }
      execFileSync('go', ['build', '-ldflags', '-s -w', '-o', join(folder, GO_CLIENT), '.'], {
        cwd: fileURLToPath(new URL('../stacks/go-client', import.meta.url)),
        env: { ...process.env, CGO_ENABLED: '0' },
      });
      // As many at once as there are: each on a connection of its own.
      const more = [at.caPath, `${count}`, `${count}`, '3001'];
      return [join(folder, GO_CLIENT), 'http', urlOf(at), ...more];
    },
  },
];

export function attachCase(session: Session, folder: string, { files, stack }: ClientCase): void {
  for (const file of files) {
    attachLocated(session, file === GO_CLIENT ? join(folder, file) : file, stack);
  }
}
