/** Node's HTTP/2 client: COUNT requests to URL on one connection, all at once, with heads and bodies of many sizes. */
import http2 from 'node:http2';

const [url, count] = [process.argv[2], Number(process.argv[3])];
const client = http2.connect(url);

function send(index) {
  return new Promise((resolve, reject) => {
    const method = ['GET', 'POST', 'PUT'][index % 3];
    const stream = client.request({
      ':method': method,
      ':path': `/varied/${index}?q=${index % 7}`,
      'x-number': `${index}`,
      'x-long': 'value '.repeat(index % 40).trim(),
      ...(index % 5 === 0 ? { 'x-added': `${index}` } : {}),
    });
    stream.on('data', () => {});
    stream.on('end', resolve);
    stream.on('error', reject);
    stream.end(method === 'GET' ? undefined : Buffer.alloc(index * 997, `body ${index} `));
  });
}

await Promise.all(Array.from({ length: count }, (_, index) => send(index)));
client.close();
