/** Node's `http2`: one connection, `--concurrency` requests on it at a time. Takes the options of the other clients. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { decodeContent, responseResult } from './clients/answer.mjs';
import { readOptions, requestOf, runAll } from './clients/options.mjs';

const options = readOptions();
const session = http2.connect(options.url);
await once(session, 'connect');

await runAll(options, async (index) => {
  const { method, path, headers, body } = requestOf(options, index);
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end(body);
  const [response] = await once(stream, 'response');
  const pieces = [];
  for await (const piece of stream) {
    pieces.push(piece);
  }
  return responseResult(options, {
    status: response[':status'],
    contentType: response['content-type'],
    body: decodeContent(response['content-encoding'], Buffer.concat(pieces)),
  });
});
session.close();
