/**
 * A small agent on OpenAI's SDK, written as its documentation suggests. Nothing in it knows of any observer.
 *
 * It needs OPENAI_API_KEY and, for any other server than OpenAI's own, OPENAI_BASE_URL.
 */
import { execFile } from 'node:child_process';
import OpenAI from 'openai';

const PROMPT =
  'What machine is this, and does it have a file called /no/such/file? ' +
  'Find out with `uname -a` and `test -e /no/such/file || exit 3`.';

const tools = [
  {
    type: 'function',
    function: {
      name: 'shell',
      description: 'Run a command in a shell and get its output and exit code.',
      parameters: {
        type: 'object',
        properties: { command: { type: 'string', description: 'The command line.' } },
        required: ['command'],
      },
    },
  },
];

/** Runs a command and gives the model its output and exit code. */
function runShell(command) {
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', command], (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : (error.code ?? 1);
      resolve(`${stdout}${stderr}exit code ${exitCode}`);
    });
  });
}

const client = new OpenAI();
const messages = [
  { role: 'system', content: 'You answer questions about this machine. Use the shell.' },
  { role: 'user', content: PROMPT },
];
process.stdout.write(`> ${PROMPT}\n`);

for (;;) {
  const completion = await client.chat.completions
    .stream({ model: 'gpt-4o', messages, tools, stream_options: { include_usage: true } })
    .finalChatCompletion();
  const { message } = completion.choices[0];
  messages.push(message);
  if (!message.tool_calls?.length) {
    process.stdout.write(`${message.content}\n`);
    break;
  }
  for (const call of message.tool_calls) {
    const { command } = JSON.parse(call.function.arguments);
    process.stdout.write(`$ ${command}\n`);
    const content = await runShell(command);
    messages.push({ role: 'tool', tool_call_id: call.id, content });
  }
}
