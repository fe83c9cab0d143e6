# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""One row: a session that does a call again and again, and what its process counted between the marks."""
import os
import shutil
import subprocess
import zlib

import libpq
from server import MARK, Unable


def by_session(server, call):
    """@return the process that counted, and the place in the WAL at each mark."""
    with libpq.Session(server.dsn(call.name, server.user)) as session:
        process = session.run("select pg_backend_pid()")[0][0]
        number = zlib.crc32(call.name.encode()) * 1000

        def run(times):
            nonlocal number
            for _ in range(times):
                call.run(session, number)
                number += 1
        mark = lambda: int(session.run(MARK)[0][1])
        if call.setup:
            call.setup(session)
        session.run(MARK)
        run(call.warm)
        places = [mark(), mark()]
        for _ in range(2):
            run(call.counted)
            places.append(mark())
    return process, places


def by_program(server, call, program):
    done = subprocess.run([program, call.name, str(call.warm), str(call.counted), MARK], text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "ONCE_TEST_DSN": server.dsn(call.name, server.user)}, check=False)
    words = done.stdout.split()
    if done.returncode or len(words) != 5:
        raise Unable(f"{call.name}: once_bench_calls ended with {done.returncode} and said: {done.stdout}")
    return words[0], [int(word) for word in words[1:]]


def plain(number):
    return int(number) if number == int(number) else number


def count(server, call, program, keep=None):
    process, places = by_program(server, call, program) if call.library else by_session(server, call)
    server.await_end(process)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(server.files(process)[-1], keep / call.name)
    (marked, answered), *stretches = server.parts(process)[-3:]
    calls_each = call.counted * call.per
    each = [(instructions - marked) / calls_each for instructions, _ in stretches]
    trips = sum(answers - answered for _, answers in stretches) / (2 * calls_each)
    return {"instructions": round(sum(each) / 2), "spread": abs(each[0] - each[1]) / (sum(each) / 2),
            "wal": round((places[3] - places[1]) / (2 * calls_each)), "trips": plain(round(trips - call.unawaited, 2))}
