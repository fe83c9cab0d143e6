# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""What a user would take instead: how each is installed, publishes, is filled with a backlog, and is read."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "instructions"))
import libpq  # noqa: E402  pylint: disable=wrong-import-position

CACHE = ROOT / "build/peers"
TICK, BATCH = 10, 1000  # milliseconds between two looks at the queue; messages at a time when there is a backlog


class Missing(Exception):
    """It cannot be had here; the text says why."""


def payload(n):
    return json.dumps({"n": n, "note": "x" * 180})


class Contestant:
    """In a database of its own, whose owner `app` writes and reads."""
    name = note = ""
    reads = True

    def install(self):
        """@return its version"""
        return ""

    def set_up(self, owner, superuser):
        """Makes what it needs; two sessions."""

    def publish(self, session, text):
        """One message, in the transaction of the business row."""

    def fill(self, session, first, last):
        """A backlog, quickly, in one transaction."""

    def reader(self, place, total, drain):
        """The command that reads `total` messages; see reader for what it says."""
        return [HERE / "reader", self.name, place.dsn, str(total), str(BATCH)]


class RowOnly(Contestant):
    name, note, reads = "row only", "the business row, and no message", False


class Delete(Contestant):
    name, note = "delete", f"a table, DELETE … SKIP LOCKED every {TICK} ms"

    def set_up(self, owner, superuser):
        owner.script("create table queue (id bigint generated always as identity primary key, topic text not null, "
                     "key text, payload json not null, created timestamptz not null default now())")

    def publish(self, session, text):
        session.run("insert into queue (topic, key, payload) values ('orders', 'k', $1::json)", text)

    def fill(self, session, first, last):
        session.run("insert into queue (topic, key, payload) select 'orders', 'k', json_build_object('n', n, 'note', "
                    "repeat('x', 180)) from generate_series($1::integer, $2::integer) as n", first, last)


class Pgq(Contestant):
    name, note = "pgq", f"PgQ, a tick and a look every {TICK} ms"

    def install(self):
        if not any(pathlib.Path("/usr/share/postgresql").glob("*/extension/pgq.control")):
            raise Missing("PgQ is not installed: tools/dev/dependencies --pgq")
        found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "postgresql-*-pgq3"], capture_output=True, text=True)
        return "PgQ " + found.stdout.strip()

    def set_up(self, owner, superuser):
        superuser.script("create extension pgq")
        superuser.script("grant pgq_admin to app")
        owner.script("select pgq.create_queue('bench'), pgq.set_queue_config('bench', 'ticker_max_count', '1'), "
                     "pgq.set_queue_config('bench', 'ticker_max_lag', '0')")
        owner.script("select pgq.register_consumer('bench', 'reader')")
        owner.script("select pgq.ticker('bench')")
        # The first batch, between those two ticks, would keep the reader one tick behind.
        owner.script("select pgq.finish_batch(pgq.next_batch('bench', 'reader'))")

    def publish(self, session, text):
        session.run("select pgq.insert_event('bench', 'orders', $1, 'k', null, null, null)", text)

    def fill(self, session, first, last):
        session.run("select count(pgq.insert_event('bench', 'orders', json_build_object('n', n, 'note', "
                    "repeat('x', 180))::text, 'k', null, null, null)) from generate_series($1::integer, $2::integer) as n",
                    first, last)
        session.run("select pgq.ticker('bench')")


class PgqEachSecond(Pgq):
    name, note = "pgq-1s", "PgQ, a tick each second, as its daemon does by default"


class Pgmq(Contestant):
    name, note = "pgmq", f"pgmq, a look every {TICK} ms"
    wheel = "1.1.4"

    def install(self):
        folder = CACHE / "pgmq"
        if not (folder / "pgmq.sql").exists():
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                                   f"pgmq=={self.wheel}"], capture_output=True, text=True)
            if done.returncode:
                raise Missing(f"pip cannot get pgmq {self.wheel}: {done.stderr.strip()[-200:]}")
            with zipfile.ZipFile(next(folder.glob("pgmq-*.whl"))) as wheel:
                for name in ("VERSION", "pgmq.sql"):
                    (folder / name).write_bytes(wheel.read(f"pgmq/sql/{name}"))
        return "pgmq " + (folder / "VERSION").read_text().strip()

    def set_up(self, owner, superuser):
        owner.script("create schema if not exists pgmq")
        owner.script((CACHE / "pgmq/pgmq.sql").read_text())
        owner.script("select pgmq.create('bench')")

    def publish(self, session, text):
        session.run("select pgmq.send('bench', $1::jsonb)", text)

    def fill(self, session, first, last):
        session.run("select count(*) from pgmq.send_batch('bench', array(select jsonb_build_object('n', n, 'note', "
                    "repeat('x', 180)) from generate_series($1::integer, $2::integer) as n))", first, last)


class Graphile(Contestant):
    name, note = "graphile-worker", "graphile-worker, wakes by NOTIFY; with a backlog its local queue of 500"

    def install(self):
        folder, source = CACHE / "graphile", HERE / "graphile"
        if not shutil.which("npm"):
            raise Missing("npm is not here")
        lock = (source / "package-lock.json").read_text()
        if not (folder / "complete").exists() or (folder / "complete").read_text() != lock:
            shutil.copytree(source, folder, dirs_exist_ok=True)
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise Missing(f"npm cannot install graphile-worker: {done.stderr.strip()[-200:]}")
            (folder / "complete").write_text(lock)
        shutil.copy(source / "reader.mjs", folder)
        return "graphile-worker " + json.loads(lock)["packages"]["node_modules/graphile-worker"]["version"]

    def set_up(self, owner, superuser):
        place = re.search(r"host=(\S+) .*dbname=(\S+)", owner.dsn)
        subprocess.run(["node", CACHE / "graphile/reader.mjs", "migrate"], check=True,
                       env=environment(place[1], place[2]), stdout=subprocess.DEVNULL)

    def publish(self, session, text):
        session.run("select graphile_worker.add_job('bench', $1::json)", text)

    def fill(self, session, first, last):
        session.run("select count(*) from graphile_worker.add_jobs(array(select ('bench', json_build_object('n', n, 'note', "
                    "repeat('x', 180)), null, null, null, null, null, null)::graphile_worker.job_spec "
                    "from generate_series($1::integer, $2::integer) as n))", first, last)

    def reader(self, place, total, drain):
        return ["node", CACHE / "graphile/reader.mjs", str(total), "drain" if drain else "stream"]


class Once(Contestant):
    name, note = "once", "once::relay as it is by default"

    def __init__(self, program):
        self.program = program

    def install(self):
        if not self.program:
            raise Missing("once_bench_reader is not built")
        return "once"

    def set_up(self, owner, superuser):
        superuser.script("grant once_producer, once_consumer to app")
        owner.script("select once.subscribe('bench')")

    def publish(self, session, text):
        session.run("select once.publish('orders', 'k', $1::json)", text)

    def fill(self, session, first, last):
        session.run("select count(once.publish('orders', 'k', json_build_object('n', n, 'note', repeat('x', 180)))) "
                    "from generate_series($1::integer, $2::integer) as n", first, last)

    def reader(self, place, total, drain):
        return [self.program, place.dsn, "bench", str(total), str(BATCH if drain else 0)]


def environment(host, database):
    return {**os.environ, "PGHOST": host, "PGPORT": "5432", "PGUSER": "app", "PGDATABASE": database}


def everyone(program):
    return [RowOnly(), Delete(), PgqEachSecond(), Pgq(), Pgmq(), Once(program), Graphile()]
