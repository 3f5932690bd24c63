"""An agent's client for the benches: streams model answers with httpx and asyncio, as the Python SDKs do.

    streaming_client.py URL STREAMS EXCHANGES CA-FILE

Runs EXCHANGES requests, STREAMS at a time, parses every event, and prints one JSON line: see stream-report.ts.
"""

import asyncio
import json
import resource
import ssl
import sys
import time

import httpx

url, streams, exchanges, ca_path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
BODY = json.dumps(
    {
        "model": "gpt-4o",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Say something long."}],
    }
)
HEADERS = {
    "content-type": "application/json",
    "authorization": "Bearer sk-bench-0123456789",
    "accept-encoding": "identity",
}
report = {"events": 0, "complete": 0, "outputTokens": 0}
gaps_ms = []


async def stream(client):
    last = None
    async with client.stream("POST", url, headers=HEADERS, content=BODY) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data:"):
                continue
            now = time.perf_counter()
            if last is not None:
                gaps_ms.append((now - last) * 1000)
            last = now
            report["events"] += 1
            data = line[5:].strip()
            if data == "[DONE]":
                report["complete"] += 1
                continue
            usage = json.loads(data).get("usage")
            if usage:
                report["outputTokens"] += usage["completion_tokens"]


async def main():
    remaining = iter(range(exchanges))

    async def worker(client):
        for _ in remaining:
            await stream(client)

    limits = httpx.Limits(max_connections=streams, max_keepalive_connections=streams)
    verify = ssl.create_default_context(cafile=ca_path)
    async with httpx.AsyncClient(verify=verify, limits=limits, timeout=120) as client:
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        await asyncio.gather(*(worker(client) for _ in range(streams)))
        report["wallMs"] = (time.perf_counter() - start) * 1000
        after = resource.getrusage(resource.RUSAGE_SELF)
    report["userMs"] = (after.ru_utime - before.ru_utime) * 1000
    report["systemMs"] = (after.ru_stime - before.ru_stime) * 1000
    gaps_ms.sort()
    report["gapP50Ms"] = gaps_ms[len(gaps_ms) // 2]
    report["gapP99Ms"] = gaps_ms[min(len(gaps_ms) - 1, int(len(gaps_ms) * 0.99))]


asyncio.run(main())
print(json.dumps(report))
