"""`aiohttp`: one session, several connections on one thread."""

import asyncio
import ssl

import aiohttp

from answer import response_result
from client_options import describe, print_result, read_options, request_of

options = read_options()


async def fetch(session, index):
    method, path, headers, body = request_of(options, index)
    data = body if method != "GET" else None
    async with session.request(method, options.url + path, headers=headers, data=data) as response:
        pieces = [piece async for piece in response.content.iter_any()]
        content_type = response.headers.get("content-type")
        return response_result(options, response.status, content_type, b"".join(pieces))


async def main():
    context = ssl.create_default_context(cafile=options.ca)
    connector = aiohttp.TCPConnector(ssl=context, limit=options.connections)
    indexes = iter(range(options.count))

    async def worker(session):
        for index in indexes:
            try:
                print_result(index, await fetch(session, index))
            except Exception as error:  # What a client raises is its result.
                print_result(index, describe(error))

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(worker(session) for _ in range(options.concurrency)))


asyncio.run(main())
