# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""What programs that make requests have in common; what they say is described in caller."""
import json
import sys
import time


def serve(request):
    print("ready", flush=True)
    for line in sys.stdin:
        name, count = line.split()
        began, used = time.monotonic(), time.process_time()
        answers = [request(f"{name}-{n}") for n in range(int(count))]
        print(json.dumps({"took": time.monotonic() - began, "cpu": time.process_time() - used,
                          "ids": [answer["id"] for answer in answers]}), flush=True)
