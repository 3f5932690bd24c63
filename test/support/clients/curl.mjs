/** One `curl` process a request: each exits the moment it has its answer. */
import { spawn } from 'node:child_process';
import { responseResult } from './answer.mjs';
import { readOptions, requestOf, runAll } from './options.mjs';

const options = readOptions();
/** What curl appends after the body, on a line of its own. */
const REPORT = '\n%{http_code} %{content_type}';

await runAll(options, async (index) => {
  const { method, path, headers, body } = requestOf(options, index);
  const args = ['--silent', '--show-error', '--no-buffer', '--http1.1', '--write-out', REPORT];
  if (options.ca !== undefined) {
    args.push('--cacert', options.ca);
  }
  if (options.encoding !== undefined) {
    args.push('--compressed');
  }
  for (const [name, value] of Object.entries(headers)) {
    args.push('--header', `${name}: ${value}`);
  }
  if (method !== 'GET') {
    args.push('--request', method, '--data-binary', '@-');
  }
  const child = spawn('curl', [...args, `${options.url}${path}`], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out = [];
  const errors = [];
  child.stdout.on('data', (bytes) => out.push(bytes));
  child.stderr.on('data', (bytes) => errors.push(bytes));
  child.stdin.on('error', () => {});
  child.stdin.end(method === 'GET' ? undefined : body);
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const whole = Buffer.concat(out);
  const end = whole.lastIndexOf('\n');
  const [status, contentType = ''] = whole.toString('latin1', end + 1).split(/ (.*)/);
  return {
    pid: child.pid,
    exitCode,
    ...(exitCode === 0 ? {} : { stderr: Buffer.concat(errors).toString('utf8').trim() }),
    ...responseResult(options, {
      status: Number(status),
      contentType,
      body: whole.subarray(0, end),
    }),
  };
});
