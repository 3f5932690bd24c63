/** Node's `https` (or `http`) with a keep-alive agent: several connections, interleaved on one thread. */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { decodeContent, responseResult } from './answer.mjs';
import { readOptions, requestOf, runAll } from './options.mjs';

const options = readOptions();
const module = options.url.startsWith('https:') ? https : http;
const agent = new module.Agent({ keepAlive: true, maxSockets: options.connections });

await runAll(options, async (index) => {
  const { method, path, headers, body } = requestOf(options, index);
  const request = module.request(`${options.url}${path}`, {
    method,
    agent,
    headers: { ...headers, 'content-length': body.length },
  });
  request.end(body);
  const [response] = await once(request, 'response');
  const pieces = [];
  for await (const piece of response) {
    pieces.push(piece);
  }
  return responseResult(options, {
    status: response.statusCode,
    contentType: response.headers['content-type'],
    body: decodeContent(response.headers['content-encoding'], Buffer.concat(pieces)),
  });
});
agent.destroy();
