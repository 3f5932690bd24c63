"""Ollama's chat API as a program in Python, on http.server or aiohttp: https://docs.ollama.com/api/chat

Prints its port, then one line of JSON a request: what was asked and what it has answered.
"""

import asyncio
import json
import sys
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

numbers = count(1)


def say(value):
    # In one piece: several threads say something.
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def line(model, content, **rest):
    answer = {
        "model": model,
        "created_at": datetime.now(timezone.utc).isoformat(),
        "message": {"role": "assistant", "content": content},
        "done": False,
        **rest,
    }
    return json.dumps(answer).encode() + b"\n"


def answer_of(body):
    """The lines of the answer, and the truth about it."""
    request = json.loads(body)
    number = next(numbers)
    prompt = request["messages"][-1]["content"]
    words = [f"{number}:", *(f" {word}" for word in reversed(prompt.split()))]
    counts = {"prompt_eval_count": len(prompt), "eval_count": len(words)}
    end = {"done": True, "done_reason": "stop", "total_duration": 1_000_000, **counts}
    text = "".join(words)
    model = request["model"]
    truth = {"model": model, "prompt": prompt, "text": text, **counts}
    if request.get("stream", True):
        return [line(model, word) for word in words] + [line(model, "", **end)], truth
    return [line(model, text, **end)], truth


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        lines, truth = answer_of(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in lines:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
        say(truth)

    def log_message(self, *_):
        pass


def serve_plainly():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    say({"port": server.server_address[1]})
    server.serve_forever()


async def serve_asynchronously():
    from aiohttp import web

    async def chat(request):
        lines, truth = answer_of(await request.read())
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in lines:
            await response.write(piece)
        await response.write_eof()
        say(truth)
        return response

    app = web.Application()
    app.router.add_post("/api/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say({"port": site._server.sockets[0].getsockname()[1]})
    await asyncio.Event().wait()


if sys.argv[1] == "aiohttp":
    asyncio.run(serve_asynchronously())
else:
    serve_plainly()
