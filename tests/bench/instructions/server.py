# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""A server of its own whose processes run under callgrind, and what one of them has counted."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import libpq

ROOT = pathlib.Path(__file__).resolve().parents[3]

# Nothing else may write, and no process may act by the clock: what is counted is the work of one session.
SETTINGS = """
autovacuum = off
jit = off
huge_pages = off
shared_buffers = '64MB'
max_connections = 20
fsync = off
full_page_writes = off
synchronous_commit = on
checkpoint_timeout = '1d'
max_wal_size = '8GB'
wal_writer_delay = '10s'
bgwriter_lru_maxpages = 0
max_logical_replication_workers = 0
log_checkpoints = off
"""

# Who calls is an ordinary role, as in production: a superuser is not asked for its rights.
ROLE = "counted"
# The tables are as large as this before anything is counted, so that their indexes have two levels.
ROWS = 5000

PRELOAD = f"""
create role {ROLE} login;
grant once_producer, once_consumer to {ROLE};
alter schema bench owner to {ROLE};
alter table bench.orders owner to {ROLE};
alter table bench.outbox owner to {ROLE};
alter table bench.idempotency_key owner to {ROLE};
set session authorization {ROLE};
insert into bench.orders (customer, cents) select 'alice', n from generate_series(1, {ROWS}) as n;
insert into bench.outbox (topic, key, payload) select 'order.created', n::text, '{{"order":1}}'
from generate_series(1, {ROWS}) as n;
insert into bench.idempotency_key (scope, key, request_hash, status, response)
select 'POST /orders alice', md5('before ' || n), sha256('a'), 201, '{{"id":4711}}' from generate_series(1, {ROWS}) as n;
"""

# A transaction for each few, as in production: what a transaction does differently after many is not what is counted.
FILL = f"""
do $$ begin
for n in 1..{ROWS} loop
    perform once.claim('POST /orders alice', md5('before ' || n), sha256('a'));
    perform once.complete('POST /orders alice', md5('before ' || n), 201, null, 'application/json',
                          '{{"id":4711,"customer":"alice"}}', null);
    perform once.receive('counted', md5('before ' || n)::uuid);
    perform once.publish('order.created', n::text, '{{"order":4711}}'::json);
    if n % 10 = 0 then commit; end if;
end loop;
end $$"""

# The process dumps its counts, and begins anew, at each entry into the function that these statements call: it is one
# that nothing else calls.
MARK_FUNCTION = "pg_conf_load_time"
MARK = "select pg_conf_load_time(), pg_current_wal_insert_lsn() - '0/0'"

# What ends each answer of the server. (It may come in several pieces.)
ANSWERED = "ReadyForQuery"
# What depends on the clock and is left out, with all that it calls: to read what a client sent takes a wait or not, and
# a session that was busy for a second reports its statistics. Under callgrind a second is few calls.
LEFT_OUT = ("secure_read", "pgstat_report_stat")


class Unable(Exception):
    """Counting is not possible here."""


def as_owner(command):
    """PostgreSQL refuses to run as root."""
    if os.geteuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]
    return list(command)


def package_of(path):
    """The Debian package of a file with its version, or what takes its place elsewhere."""
    found = subprocess.run(["dpkg-query", "-S", str(path)], capture_output=True, text=True)
    name = found.stdout.split(": ")[0].split(",")[0].strip()
    if found.returncode or not name:
        return "of no Debian package"
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return f"{name} {version.stdout}"


class Server:
    """Made in a folder below ONCE_CLUSTER_DIR, whose owner removes it whatever happens here."""

    def __init__(self, migrations, databases, user=ROLE, planted=""):
        if not shutil.which("valgrind"):
            raise Unable("valgrind is not installed (tools/dev/dependencies --instructions)")
        if not os.environ.get("ONCE_CLUSTER_DIR"):
            raise Unable("ONCE_CLUSTER_DIR is not set: run tests/bench/run --instructions")
        self.folder = pathlib.Path(os.environ["ONCE_CLUSTER_DIR"]) / f"counted{os.getpid()}"
        self.data, self.counts = self.folder / "data", self.folder / "counts"
        self.postmaster = None
        self.migrations, self.databases, self.user, self.planted = migrations, databases, user, planted

    def dsn(self, database, user):
        return f"host={self.folder} port=5432 user={user} dbname={database}"

    def cluster(self, *words):
        subprocess.run([ROOT / "tools/dev/cluster", *words, self.folder], check=True)

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        environment = {**os.environ, "ONCE_TEST_DSN": self.dsn("postgres", "postgres")}
        self.cluster("start")
        self.binaries = pathlib.Path((self.folder / "binaries").read_text().strip())
        # Not as a setting of the file, or the next start would be needed for it.
        with libpq.Session(environment["ONCE_TEST_DSN"]) as session:
            session.script("alter system set autovacuum = off")
            session.script("select pg_reload_conf()")
        subprocess.run([ROOT / "tests/support/make_template", self.migrations], check=True, env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with libpq.Session(environment["ONCE_TEST_DSN"]) as session:
            session.script("create database filled template once_template")
            self.fill()
            # One for each row, so that the others do not change what it finds.
            for name in self.databases:
                session.script(f'create database "{name}" template filled')
        self.restart_under_callgrind()

    def fill(self):
        source = (ROOT / "tests/bench/bench_tables.cpp").read_text()
        tables = re.search(r'void create_tables.*?R"sql\((.*?)\)sql"', source, re.S).group(1)
        with libpq.Session(self.dsn("filled", "postgres")) as session:
            session.script(tables)
            session.script(PRELOAD)
            session.script("reset session authorization")
        with libpq.Session(self.dsn("filled", self.user)) as session:
            session.script("set synchronous_commit = off")
            session.script(FILL)
            session.script("select once.subscribe('counted')")
        with libpq.Session(self.dsn("filled", "postgres")) as session:
            if self.planted:
                session.script(self.planted)
            session.script("vacuum analyze")
            self.version = session.script("show server_version")[0][0]

    def restart_under_callgrind(self):
        subprocess.run(as_owner([self.binaries / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-s", "stop"]),
                       check=True, cwd="/", stdout=subprocess.DEVNULL)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(SETTINGS)
        self.counts.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.counts, "postgres")
        command = ["valgrind", "--tool=callgrind", "--trace-children=yes",
                   f"--dump-before={MARK_FUNCTION}", f"--callgrind-out-file={self.counts}/%p",
                   f"--log-file={self.counts}/log.%p", self.binaries / "postgres", "-D", self.data]
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.postmaster = subprocess.Popen(as_owner(command), cwd="/", stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=log, env={**os.environ, "LC_ALL": "C"})
        deadline = time.monotonic() + 120
        while True:
            try:
                libpq.Session(self.dsn("postgres", "postgres")).close()
                return
            except libpq.Error as e:
                if self.postmaster.poll() is not None or time.monotonic() > deadline:
                    raise Unable(f"the server does not start under callgrind: {e}\n{self.log()}") from e
            time.sleep(0.1)

    def log(self):
        own = [path.read_text(errors="replace") for path in sorted(self.counts.glob("log.*"))[:1]]
        return "\n".join(own + [(self.folder / "log").read_text(errors="replace")])[-3000:]

    def __exit__(self, *_):
        if (self.folder / "binaries").exists():
            self.cluster("stop")
        if self.postmaster:
            self.postmaster.wait()

    def await_end(self, process):
        """Counting goes on in the end of a session, which nobody wants to share a core with."""
        deadline = time.monotonic() + 60
        while os.path.exists(f"/proc/{process}") and time.monotonic() < deadline:
            time.sleep(0.02)

    def files(self, process):
        """What callgrind wrote at each mark of a process."""
        return sorted(self.counts.glob(f"{process}.*"), key=lambda path: int(path.suffix[1:]))

    def parts(self, process):
        """What a process has counted between the marks: (instructions, answers to a client) for each."""
        files = self.files(process)
        if len(files) < 4:
            raise Unable(f"callgrind does not know {MARK_FUNCTION} of {self.binaries}/postgres: it is stripped")
        return [self.part(path) for path in files[1:]] # the first is from the start of the process

    @staticmethod
    def part(path):
        instructions, answers, left_out, names, called, leave_out = None, 0, 0, {}, "", False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(("fn=(", "cfn=(")):
                    number, _, name = line.rstrip("\n").partition("=(")[2].partition(")")
                    if name:
                        names[number] = name.strip()
                    called = names.get(number, "") if line[0] == "c" else called
                elif line.startswith("calls="):
                    if called == ANSWERED:
                        answers += int(line[6:].split()[0])
                    leave_out = called in LEFT_OUT
                elif leave_out: # the line behind calls= has what the calls cost, with all that they called
                    left_out += int(line.split()[1])
                    leave_out = False
                elif line.startswith("summary:"):
                    instructions = int(line.split()[1])
        if instructions is None:
            raise Unable(f"{path}: callgrind wrote no sum")
        return instructions - left_out, answers
