# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""One sample: a contestant in a database of its own, and what it took of the server."""
import contextlib
import json
import os
import pathlib
import select
import subprocess
import time

from contestants import environment, libpq, payload

TICKS = os.sysconf("SC_CLK_TCK")
WARM = 1.0  # seconds of the stream that are not counted: plans, caches, connections
GIVE_UP = 120  # seconds without the last message


class Place:
    """A fresh database on the server of ONCE_TEST_DSN, with the schema once, that the role app owns."""
    count = 0

    def __init__(self):
        Place.count += 1
        self.admin = os.environ["ONCE_TEST_DSN"]
        self.name = f"peer{os.getpid()}_{Place.count}"
        words = dict(word.split("=", 1) for word in self.admin.split())
        self.host = words["host"]
        self.dsn = f"host={self.host} port=5432 user=app dbname={self.name} options='-c client_min_messages=warning'"
        self.postmaster = int((pathlib.Path(self.host) / "data/postmaster.pid").read_text().split()[0])

    def __enter__(self):
        with libpq.Session(self.admin) as session:
            if not session.script("select from pg_roles where rolname = 'app'"):
                session.script("create role app login")
            session.script(f"create database {self.name} template once_template owner app")
        self.superuser = libpq.Session(self.dsn.replace("user=app", "user=postgres"))
        self.owner = libpq.Session(self.dsn)
        self.owner.script("create table orders (id bigint generated always as identity primary key, customer text not null, "
                          "cents bigint not null, created timestamptz not null default now())")
        return self

    def __exit__(self, *_):
        self.owner.close()
        self.superuser.close()
        with libpq.Session(self.admin) as session:
            session.script(f"drop database {self.name} with (force)")

    def server_cpu(self):
        """Seconds of all processes of the server, those that have ended included."""
        ticks = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue # it has ended
            if int(stat.parent.name) == self.postmaster:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) == self.postmaster:
                ticks += sum(int(field) for field in fields[11:13])
        return ticks / TICKS

    def wal(self):
        return int(self.superuser.script("select pg_current_wal_insert_lsn() - '0/0'")[0][0])


class Process:
    """A program of a contestant, which says "ready" and then lines of JSON."""

    def __init__(self, name, command, place):
        self.name = name
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment(place.host, place.name))
        if self.line(30) != "ready":
            raise RuntimeError(f"{name}: its program does not begin")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def line(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return ""
        return self.process.stdout.readline().strip()


class Reader(Process):
    """The process that reads."""

    def __init__(self, contestant, place, total, drain):
        super().__init__(contestant.name, contestant.reader(place, total, drain), place)
        self.total = total

    def result(self):
        said = self.line(GIVE_UP)
        if not said:
            raise RuntimeError(f"{self.name}: after {GIVE_UP} s not all of {self.total} messages have come")
        result = json.loads(said)
        came = dict(result["came"])
        if len(came) != self.total:
            raise RuntimeError(f"{self.name}: {len(came)} different messages came instead of {self.total}")
        return came, result["cpu"]


class Caller(Process):
    """The process that makes requests."""

    def __init__(self, contestant, place):
        super().__init__(contestant.name, contestant.caller(place), place)

    def call(self, name, count):
        self.process.stdin.write(f"{name} {count}\n")
        self.process.stdin.flush()
        said = self.line(GIVE_UP)
        if not said:
            raise RuntimeError(f"{self.name}: after {GIVE_UP} s not all of {count} requests are answered")
        return json.loads(said)


def write(place, contestant, first, count, rate):
    """Transactions at fixed times, whatever became of the one before. @return when each message was sent"""
    session, sent = place.owner, []
    begin = time.monotonic()
    for n in range(first, first + count):
        time.sleep(max(0, begin + (n - first) / rate - time.monotonic()))
        session.run("begin")
        session.run("insert into orders (customer, cents) values ($1, $2::bigint)", "alice", 4200)
        sent.append(time.monotonic_ns())
        contestant.publish(session, payload(n))
        session.run("commit")
    return sent


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def stream(contestant, rate, seconds, read):
    """An ordinary stream of messages, with a reader or without one."""
    warm, count = int(WARM * rate), int(rate * seconds)
    with Place() as place:
        contestant.set_up(place.owner, place.superuser)
        place.superuser.script("checkpoint")
        with Reader(contestant, place, warm + count, False) if read else contextlib.nullcontext() as reader:
            write(place, contestant, 0, warm, rate)
            cpu, wal = place.server_cpu(), place.wal()
            sent = write(place, contestant, warm, count, rate)
            taken = {}
            if reader:
                came, client = reader.result()
                late = [(came[warm + i] - sent[i]) / 1e6 for i in range(count)]
                taken = {"p50": percentile(late, 0.5), "p99": percentile(late, 0.99), "client": 1e6 * client / (warm + count)}
            return {"server": 1e6 * (place.server_cpu() - cpu) / count, "wal": (place.wal() - wal) / count, **taken}


def drain(contestant, total):
    """A backlog, as fast as it goes."""
    with Place() as place:
        contestant.set_up(place.owner, place.superuser)
        for first in range(0, total, 1000):
            contestant.fill(place.owner, first, min(first + 1000, total) - 1)
        place.superuser.script("vacuum analyze")
        place.superuser.script("checkpoint")
        cpu, wal = place.server_cpu(), place.wal()
        with Reader(contestant, place, total, True) as reader:
            came, client = reader.result()
            cpu = place.server_cpu() - cpu
        took = (max(came.values()) - min(came.values())) / 1e9
        return {"server": 1e6 * cpu / total, "wal": (place.wal() - wal) / total, "client": 1e6 * client / total,
                "rate": total / took if took else float("inf")}


def requests(contestant, count):
    """The same requests twice: done, then repeated. Each is done once, and a repeat gets the same answer."""
    with Place() as place:
        contestant.set_up(place.owner, place.superuser)
        place.superuser.script("checkpoint")
        with Caller(contestant, place) as caller:
            caller.call("warm", max(1, count // 10))
            caller.call("warm", max(1, count // 10))
            taken, answers = {}, []
            for what in ("done", "repeat"):
                cpu, wal = place.server_cpu(), place.wal()
                said = caller.call("key", count)
                answers.append(said["ids"])
                taken |= {what: 1e6 * (place.server_cpu() - cpu) / count, f"{what} client": 1e6 * said["cpu"] / count,
                          f"{what} rate": count / said["took"], f"{what} wal": (place.wal() - wal) / count}
        rows = int(place.owner.script("select count(*) from orders")[0][0])
    if answers[0] != answers[1] or len(set(answers[0])) != count or rows != count + max(1, count // 10):
        raise RuntimeError(f"{contestant.name}: {rows} rows of {count} requests, or a repeat with another answer")
    return {"server": taken["done"], **taken}
