"""Posts by asyncio, whose TLS works on memory. Arguments: URL, file of the authority, requests, at once, keep | fresh."""

import asyncio
import ssl
import sys
from urllib.parse import urlsplit

url, ca, count, at_once, connections = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
address = urlsplit(url)
body = b"abc" * 20000
left = int(count)


async def connect():
    return await asyncio.open_connection(address.hostname, address.port, ssl=context)


async def work():
    global left
    reader, writer = await connect()
    while left > 0:
        left -= 1
        head = f"POST {address.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
        if connections == "fresh" and left > 0:
            writer.close()
            await writer.wait_closed()
            reader, writer = await connect()
    writer.close()
    await writer.wait_closed()


async def main():
    await asyncio.gather(*(work() for _ in range(int(at_once))))


asyncio.run(main())
