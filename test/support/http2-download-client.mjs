/** Node's HTTP/2 client: a download from URL/download, and COUNT answers beside it on the same connection. */
import http2 from 'node:http2';

const [url, count] = [process.argv[2], Number(process.argv[3])];
const client = http2.connect(url, { settings: { initialWindowSize: 4 * 1024 * 1024 } });
await new Promise((resolve) => client.once('connect', resolve));
client.setLocalWindowSize(16 * 1024 * 1024);

function fetchAll(path) {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':path': path });
    stream.on('data', () => {});
    stream.on('end', resolve);
    stream.on('error', reject);
  });
}

const work = [fetchAll('/download')];
for (let index = 0; index < count; index += 1) {
  await new Promise((resolve) => setTimeout(resolve, 3));
  work.push(fetchAll(`/answers/${index}?word=${'x'.repeat(index * 40)}`));
}
await Promise.all(work);
client.close();
