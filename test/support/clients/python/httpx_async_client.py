"""`httpx` with asyncio: one client, several connections on one thread."""

import asyncio

import httpx

from answer import response_result
from client_options import describe, print_result, read_options, request_of

options = read_options()


async def fetch(client, index):
    method, path, headers, body = request_of(options, index)
    content = body if method != "GET" else None
    url = options.url + path
    async with client.stream(method, url, headers=headers, content=content) as response:
        pieces = [piece async for piece in response.aiter_bytes()]
        content_type = response.headers.get("content-type")
        return response_result(options, response.status_code, content_type, b"".join(pieces))


async def main():
    limits = httpx.Limits(max_connections=options.connections)
    indexes = iter(range(options.count))

    async def worker(client):
        for index in indexes:
            try:
                print_result(index, await fetch(client, index))
            except Exception as error:  # What a client raises is its result.
                print_result(index, describe(error))

    async with httpx.AsyncClient(verify=options.verify, limits=limits, timeout=60) as client:
        await asyncio.gather(*(worker(client) for _ in range(options.concurrency)))


asyncio.run(main())
