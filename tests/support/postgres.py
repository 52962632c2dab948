"""A real PostgreSQL on this machine, started for the tests alone: stopped, started and frozen as they ask."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from tests.support.leftovers import end_with_us
from tests.support.parts import lacks
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

USER, PASSWORD = "flowsource", "s3cr3t-canary-7b1d"
# What makes it quick, where nothing needs to survive the machine.
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200", "autovacuum_naptime=5s")


@dataclass(eq=False)
class PostgresServer:
    """A server that listens on 127.0.0.1 and lets nobody in without the password."""

    directory: Path
    port: int
    options: tuple[str, ...]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    def address(self, database: str) -> str:
        """The address of one of its databases, with user and password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def local_address(self, database: str) -> str:
        """The address of one of its databases by way of a socket in its directory, from any network of ours."""
        return f"postgresql://{USER}:{PASSWORD}@/{database}?host={self.directory}&port={self.port}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        given = [word for option in (*self.options, f"port={self.port}") for word in ("-c", option)]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", self.directory / "data", "-k", self.directory, "-h", "127.0.0.1", *given],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_as_user(),
            )
        end_with_us(self._process)
        deadline = monotonic() + PATIENCE
        while subprocess.run(
            [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert monotonic() < deadline, (self.directory / "log").read_text()
            sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT at once but in order, SIGQUIT as in a crash, from which the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows that `statement` gives, in a transaction of its own."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            asked = connection.execute(statement.encode())
            return asked.fetchall() if asked.description else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database, which goes with the block."""
        name = f"d{uuid4().hex}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield self.address(name)
        finally:
            self.ask(f"DROP DATABASE {name} WITH (FORCE)")


def emptied(address: str) -> str:
    """`address`, once no table of the database there has a row."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if tables := [name for (name,) in found if name != "alembic_version"]:
            connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
    return address


@contextmanager
def postgres_server(*options: str, place: Path | None = None) -> Iterator[PostgresServer]:
    """A server of our own, with its data in a directory below `place`, until the block ends.

    It skips the test where none is installed.
    """
    if not _binary("initdb"):
        lacks("PostgreSQL is not installed (Debian: postgresql)")
    directory = Path(tempfile.mkdtemp(prefix="flowsource-postgres-", dir=place))
    try:
        _give_away(directory)
        secret = directory / "secret"
        secret.write_text(PASSWORD)
        _give_away(secret)
        made = subprocess.run(
            [
                *(_binary("initdb"), "-D", directory / "data", "-U", USER, f"--pwfile={secret}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            capture_output=True,
            check=False,
            **_as_user(),
        )
        assert made.returncode == 0, made.stderr.decode()
        server = PostgresServer(directory, free_port(), (*_QUICK, *options))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


@contextmanager
def standby_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A server that has all that `primary` acknowledges, and takes its place when it is told to (`SELECT
    pg_promote()`), until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="flowsource-standby-"))
    try:
        _give_away(directory)
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", USER]
        copied = subprocess.run(
            [_binary("pg_basebackup"), *source, "-D", directory / "data", "-R", "--checkpoint=fast", "--no-sync"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            check=False,
            **_as_user(),
        )
        assert copied.returncode == 0, copied.stderr.decode()
        standby = PostgresServer(directory, free_port(), primary.options)
        standby.start()
        try:
            # From now on nothing is acknowledged that is not there as well.
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.ask("SELECT pg_reload_conf()")
            deadline = monotonic() + PATIENCE
            while primary.ask("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
                assert monotonic() < deadline, (directory / "log").read_text()
                sleep(0.02)
            yield standby
        finally:
            standby.stop()
    finally:
        shutil.rmtree(directory)


@cache
def _binary(name: str) -> str:
    """Where a program of PostgreSQL is, or ""; Debian has those of the server out of the way of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(places)), os.environ.get("PATH", "")])) or ""


def _as_user() -> dict[str, Any]:
    """How it is started: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    user = _somebody()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _somebody().pw_uid, _somebody().pw_gid)


def _somebody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
