"""A repository to sign in, and keys of SSH of one who counts and of one who does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.sources.git_signing.signed import Signed, SshKey
from tests.support.parts import requires


@pytest.fixture
def repository(tmp_path: Path) -> Signed:
    requires("git")
    requires("ssh-keygen")
    path = tmp_path / "served" / "flows"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    return Signed(path)


@pytest.fixture
def key(tmp_path: Path) -> SshKey:
    return SshKey.make(tmp_path / "key")


@pytest.fixture
def stranger(tmp_path: Path) -> SshKey:
    return SshKey.make(tmp_path / "stranger")


@pytest.fixture
def signers(tmp_path: Path, key: SshKey) -> Path:
    path = tmp_path / "allowed_signers"
    path.write_text(key.allowed())
    return path
