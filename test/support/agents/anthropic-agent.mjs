/** A small agent on Anthropic's SDK: asks the model, runs the shell commands it wants, until it answers. */
import Anthropic from '@anthropic-ai/sdk';
import { printSummary, readAgentOptions, resultText, runShell, SHELL_TOOL } from './shell-tool.mjs';

const options = readAgentOptions('claude-sonnet-4-5');
const client = new Anthropic({ baseURL: options.url, apiKey: 'sk-ant-test-agent', maxRetries: 0 });
const { name, description, schema } = SHELL_TOOL;
const tools = [{ name, description, input_schema: schema }];
const messages = [];

async function ask() {
  const request = {
    model: options.model,
    max_tokens: 1024,
    system: 'You are a careful assistant with a shell.',
    messages,
    tools,
  };
  return options.stream
    ? client.messages.stream(request).finalMessage()
    : client.messages.create(request);
}

const turns = [];
for (const prompt of options.prompts) {
  messages.push({ role: 'user', content: prompt });
  const turn = { prompt, calls: [], tools: [], answer: '' };
  turns.push(turn);
  for (;;) {
    const message = await ask();
    turn.calls.push(message.id);
    messages.push({ role: 'assistant', content: message.content });
    const uses = message.content.filter((block) => block.type === 'tool_use');
    if (uses.length === 0) {
      turn.answer = message.content.map((block) => block.text ?? '').join('');
      break;
    }
    const results = await Promise.all(
      uses.map(async (use) => ({ id: use.id, ...(await runShell(use.input.command)) })),
    );
    turn.tools.push(...results);
    messages.push({
      role: 'user',
      content: results.map((result) => ({
        type: 'tool_result',
        tool_use_id: result.id,
        content: resultText(result),
        is_error: result.exitCode !== 0,
      })),
    });
  }
}
printSummary(turns);
