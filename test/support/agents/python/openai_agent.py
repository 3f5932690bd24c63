"""A small agent on OpenAI's Python SDK: asks the model, runs the shell commands it wants, until it answers."""

import json

from openai import DefaultHttpxClient, OpenAI

import shell_tool

options = shell_tool.read_options("gpt-4o")
client = OpenAI(
    base_url=options.url + "/v1",
    api_key="sk-test-agent",
    max_retries=0,
    http_client=DefaultHttpxClient(verify=options.verify, timeout=60),
)
tools = [
    {
        "type": "function",
        "function": {
            "name": shell_tool.NAME,
            "description": shell_tool.DESCRIPTION,
            "parameters": shell_tool.SCHEMA,
        },
    }
]
messages = [{"role": "system", "content": "You are a careful assistant with a shell."}]


def ask():
    request = {"model": options.model, "messages": messages, "tools": tools}
    if not options.stream:
        return client.chat.completions.create(**request)
    stream_options = {"include_usage": True}
    with client.chat.completions.stream(**request, stream_options=stream_options) as stream:
        return stream.get_final_completion()


turns = []
for prompt in options.prompt:
    messages.append({"role": "user", "content": prompt})
    turn = {"prompt": prompt, "calls": [], "tools": [], "answer": ""}
    turns.append(turn)
    while True:
        completion = ask()
        message = completion.choices[0].message
        turn["calls"].append(completion.id)
        calls = message.tool_calls or []
        reply = {"role": "assistant", "content": message.content}
        if calls:
            reply["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.function.name,
                        "arguments": call.function.arguments,
                    },
                }
                for call in calls
            ]
        messages.append(reply)
        if not calls:
            turn["answer"] = message.content
            break
        for call in calls:
            result = shell_tool.run_shell(json.loads(call.function.arguments)["command"])
            turn["tools"].append({"id": call.id, **result})
            content = shell_tool.result_text(result)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
shell_tool.print_summary(turns)
