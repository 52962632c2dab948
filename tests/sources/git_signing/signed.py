"""Real keys of both kinds, and a repository whose commits and tags real Git signs with them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowsource import SignedBy
from flowsource.sources.git.repository import GitRepository
from tests.sources.contract import fetched, files_in
from tests.support.git_server import GitServer


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key of SSH, and the line that allows it to `ada@example.org`."""

    file: Path

    @classmethod
    def make(cls, at: Path) -> SshKey:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", at], check=True)
        return cls(at)

    def allowed(self, *, options: str = "") -> str:
        public = self.file.with_suffix(".pub").read_text().strip()
        return f"ada@example.org {options} {public}\n"

    @property
    def settings(self) -> list[str]:
        return ["gpg.format=ssh", f"user.signingkey={self.file}"]


@dataclass(frozen=True, slots=True)
class GpgKey:
    """A key of GPG in a home of its own, by its fingerprint."""

    home: Path
    name: str
    # The time that it lives in, as gpg is told it; empty for now.
    at: str = ""

    @classmethod
    def make(cls, home: Path, name: str, *, at: str = "", expires: str = "never") -> GpgKey:
        key = cls(home, f"{name} <{name}@example.org>", at)
        key.gpg("--passphrase", "", "--quick-generate-key", key.name, "ed25519", "sign", expires)
        return key

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", *self._options, "--quiet", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, check=True, input=given, capture_output=True).stdout

    def export(self, to: Path) -> Path:
        to.write_bytes(self.gpg("--armor", "--export", self.name))
        return to

    @property
    def fingerprint(self) -> str:
        listed = self.gpg("--with-colons", "--list-keys", self.name).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    @property
    def settings(self) -> list[str]:
        program = self.home / "program"
        program.write_text(f'#!/bin/sh\nexec gpg {" ".join(self._options)} "$@"\n')
        program.chmod(0o700)
        return [f"user.signingkey={self.name}", f"gpg.program={program}"]

    @property
    def _options(self) -> list[str]:
        return ["--homedir", str(self.home), "--batch", *(["--faked-system-time", self.at] if self.at else [])]


@dataclass(frozen=True, slots=True)
class Signed:
    """A repository that real Git commits to."""

    path: Path

    def git(self, *arguments: str, settings: Sequence[str] = (), given: bytes | None = None) -> str:
        chosen = [part for one in ["user.name=Ada", "user.email=ada@example.org", *settings] for part in ("-c", one)]
        environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.path), *chosen, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, env=environment, input=given)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode().strip()

    def commit(self, text: str, key: SshKey | GpgKey | None = None) -> str:
        (self.path / "flows.py").write_text(text)
        self.git("add", ".")
        signing = ["-S"] if key is not None else []
        self.git("commit", "-q", "-m", "Change", *signing, settings=key.settings if key is not None else ())
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, key: SshKey | GpgKey | None = None) -> str:
        signing = ["-s"] if key is not None else ["-a"]
        self.git("tag", "-f", *signing, "-m", "Release", name, settings=key.settings if key is not None else ())
        return self.git("rev-parse", f"refs/tags/{name}")


async def written(source: GitRepository, at: Path, *, name: str = "fetched") -> bytes:
    return files_in(await fetched(source, await source.resolve(), at, name=name))["flows.py"]


def source_of(server: GitServer, verify: SignedBy, *, tag: str | None = None) -> GitRepository:
    return GitRepository(server.url("flows/.git"), verify=verify, tag=tag)
