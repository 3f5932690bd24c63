"""The command line that every Python client program here understands, and the requests it stands for."""

import argparse
import hashlib
import json
import sys

# Of longer texts only length and hash are printed.
MAX_PRINTED_TEXT_CHARACTERS = 65536


def read_options(api="openai"):
    """See options.mjs for what each option means; both sides understand the same ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--api", choices=["openai", "anthropic"], default=api)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--include-usage", action="store_true")
    parser.add_argument("--encoding")
    parser.add_argument("--body-bytes", type=int, default=0)
    parser.add_argument("--model")
    parser.add_argument("--prompt", default="Say something.")
    parser.add_argument("--scenario")
    parser.add_argument("--targets")
    parser.add_argument("--key-prefix", default="sk-test-")
    options = parser.parse_args()

    options.is_anthropic = options.api == "anthropic"
    options.path = "/v1/messages" if options.is_anthropic else "/v1/chat/completions"
    options.key = options.key_prefix + "0123456789abcdef"
    if options.model is None:
        options.model = "claude-sonnet-4-5" if options.is_anthropic else "gpt-4o"
    if options.concurrency is None:
        options.concurrency = options.connections
    scenario = json.loads(options.scenario) if options.scenario else []
    options.scenarios = scenario if isinstance(scenario, list) else [scenario]
    # True: the system's authorities.
    options.verify = options.ca if options.ca else True
    if options.targets:
        with open(options.targets, encoding="utf8") as lines:
            options.targets = [_target(line.split()) for line in lines if line.strip()]
        options.count = len(options.targets)
    return options


def _target(words):
    length = int(words[2]) if len(words) > 2 else 0
    return words[0], words[1], pattern_bytes(length)


def pattern_bytes(length):
    """A request body that is no text and differs at every length."""
    return bytes((index * 167 + length * 13) & 0xFF for index in range(length))


def prompt_of(options, index):
    marker = ""
    if options.scenarios:
        scenario = options.scenarios[index % len(options.scenarios)]
        marker = " [[scenario " + json.dumps(scenario) + "]]"
    return "x" * options.body_bytes + options.prompt + marker


def body_of(options, index):
    body = {
        "model": options.model,
        "messages": [{"role": "user", "content": prompt_of(options, index)}],
    }
    if options.is_anthropic:
        body["max_tokens"] = 1024
    if options.stream:
        body["stream"] = True
        if options.include_usage and not options.is_anthropic:
            body["stream_options"] = {"include_usage": True}
    return body


def request_of(options, index):
    """Method, path, headers and body of request `index`, for clients without an SDK."""
    headers = {}
    if options.encoding is not None:
        headers["accept-encoding"] = options.encoding
    if options.targets:
        method, path, body = options.targets[index]
        return method, path, headers, body
    headers["content-type"] = "application/json"
    if options.is_anthropic:
        headers["x-api-key"] = options.key
        headers["anthropic-version"] = "2023-06-01"
    else:
        headers["authorization"] = "Bearer " + options.key
    body = json.dumps(body_of(options, index)).encode("utf8")
    return "POST", options.path, headers, body


def print_result(index, result):
    sys.stdout.write(json.dumps({"request": index, **result}) + "\n")
    sys.stdout.flush()


def describe(error):
    """Class, HTTP status and message of what a client raised."""
    result = {"name": type(error).__name__, "message": str(error)}
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        result["status"] = status
    return {"error": result}


def text_result(text):
    encoded = text.encode("utf8")
    result = {"textBytes": len(encoded), "textSha256": hashlib.sha256(encoded).hexdigest()}
    if len(text) <= MAX_PRINTED_TEXT_CHARACTERS:
        result["text"] = text
    return result
