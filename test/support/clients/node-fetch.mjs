/** Node's own `fetch`. It trusts the server by NODE_EXTRA_CA_CERTS. */
import { responseResult } from './answer.mjs';
import { readOptions, requestOf, runAll } from './options.mjs';

const options = readOptions();

await runAll(options, async (index) => {
  const { method, path, headers, body } = requestOf(options, index);
  const response = await fetch(`${options.url}${path}`, {
    method,
    headers,
    ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
  });
  const pieces = [];
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
  }
  return responseResult(options, {
    status: response.status,
    contentType: response.headers.get('content-type'),
    body: Buffer.concat(pieces),
  });
});
