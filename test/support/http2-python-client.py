"""`httpx` with HTTP/2: COUNT requests to URL on one connection, all at once; prints the SHA-256 of each answer."""

import asyncio
import hashlib
import sys

import httpx


async def main(url, count):
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(http1=False, http2=True, limits=limits, timeout=60) as client:

        async def fetch(index):
            method = ("GET", "POST", "PUT")[index % 3]
            body = None if method == "GET" else bytes(index % 256 for _ in range(index * 211))
            headers = {"x-number": str(index), "x-long": "value " * (index % 40)}
            answer = await client.request(
                method, f"{url}/p/{index}?q={index % 7}", content=body, headers=headers
            )
            return hashlib.sha256(answer.content).hexdigest()

        digests = await asyncio.gather(*(fetch(index) for index in range(count)))
        print("\n".join(digests))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
