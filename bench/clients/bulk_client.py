"""Downloads one URL with curl or with urllib, and prints wall, user and system seconds as JSON."""

import json
import resource
import ssl
import subprocess
import sys
import time
import urllib.request

kind, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = time.perf_counter()
if kind == "curl":
    rate = ["--limit-rate", sys.argv[4]] if len(sys.argv) > 4 and sys.argv[4] else []
    output = subprocess.check_output(
        ["curl", "-sk", "--http1.1", "-o", "/dev/null", "-w", "%{size_download}", *rate, url]
    )
    received = int(output)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
else:
    context = ssl._create_unverified_context()
    received = 0
    with urllib.request.urlopen(url, context=context) as response:
        while block := response.read(1024 * 1024):
            received += len(block)
    usage = resource.getrusage(resource.RUSAGE_SELF)
wall = time.perf_counter() - start
assert received == size, f"{received} of {size} bytes"
print(json.dumps({"wall": wall, "user": usage.ru_utime, "system": usage.ru_stime}))
