"""Posts by http.client. Arguments: URL, file of the authority, requests, at once (unused), keep | fresh."""

import http.client
import ssl
import sys
from urllib.parse import urlsplit

url, ca, count, _, connections = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
address = urlsplit(url)


def connect():
    return http.client.HTTPSConnection(address.hostname, address.port, context=context)


connection = connect()
for _ in range(int(count)):
    connection.request("POST", address.path, b"abc" * 20000)
    connection.getresponse().read()
    if connections == "fresh":
        connection.close()
        connection = connect()
connection.close()
