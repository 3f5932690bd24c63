"""A small agent on Anthropic's Python SDK: asks the model, runs the shell commands it wants, until it answers."""

from anthropic import Anthropic, DefaultHttpxClient

import shell_tool

options = shell_tool.read_options("claude-sonnet-4-5")
client = Anthropic(
    base_url=options.url,
    api_key="sk-ant-test-agent",
    max_retries=0,
    http_client=DefaultHttpxClient(verify=options.verify, timeout=60),
)
tools = [
    {
        "name": shell_tool.NAME,
        "description": shell_tool.DESCRIPTION,
        "input_schema": shell_tool.SCHEMA,
    }
]
messages = []


def ask():
    request = {
        "model": options.model,
        "max_tokens": 1024,
        "system": "You are a careful assistant with a shell.",
        "messages": messages,
        "tools": tools,
    }
    if not options.stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


turns = []
for prompt in options.prompt:
    messages.append({"role": "user", "content": prompt})
    turn = {"prompt": prompt, "calls": [], "tools": [], "answer": ""}
    turns.append(turn)
    while True:
        message = ask()
        turn["calls"].append(message.id)
        content = [block.model_dump(exclude_none=True) for block in message.content]
        messages.append({"role": "assistant", "content": content})
        uses = [block for block in message.content if block.type == "tool_use"]
        if not uses:
            turn["answer"] = "".join(block.text for block in message.content if block.type == "text")
            break
        results = []
        for use in uses:
            result = shell_tool.run_shell(use.input["command"])
            turn["tools"].append({"id": use.id, **result})
            results.append(
                {
                    "type": "tool_result",
                    "tool_use_id": use.id,
                    "content": shell_tool.result_text(result),
                    "is_error": result["exitCode"] != 0,
                }
            )
        messages.append({"role": "user", "content": results})
shell_tool.print_summary(turns)
