"""A Git repository over the system's ssh: the promises of a source, who is let in, and who is believed."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import anyio
import pytest
from dulwich.objects import Blob
from dulwich.repo import Repo

from flowsource.demo.repository import FixtureRepository
from flowsource.errors import (
    AuthenticationFailed,
    InvalidInput,
    RevisionGone,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from flowsource.revisions import Revision
from flowsource.sources.git.credentials import GitCredentials, SshLogin
from flowsource.sources.git.repository import GitRepository
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire import ssh
from flowsource.sources.git.wire.exchange import GitWire
from flowsource.sources.git.wire.patience import Patience
from tests.sources.contract import SourceContract, fetched, files_in
from tests.support.parts import requires
from tests.support.repositories import GitRemote
from tests.support.ssh_server import KeyType, SshServer, make_key, ssh_server
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def repository(tmp_path: Path) -> FixtureRepository:
    repository = FixtureRepository.create(tmp_path / "it's served" / "flows.git")
    repository.commit_files({"flows.py": "ANSWER = 41\n"})
    return repository


def source(server: SshServer, repository: FixtureRepository, **fields: Path) -> GitRepository:
    given = {"ssh_key_file": server.key, "known_hosts_file": server.known_hosts, **fields}
    credentials = {name: str(path) for name, path in given.items()}
    return GitRepository(server.url(repository.path), branch="main", credentials=credentials)


def login(server: SshServer) -> SshLogin:
    return SshLogin(server.user, server.key, server.known_hosts)


class TestOverSsh(SourceContract):
    @pytest.fixture
    def remote(self, shared: SshServer, tmp_path: Path) -> GitRemote:
        repository = FixtureRepository.create(tmp_path / "flows.git")
        return GitRemote(repository, source(shared, repository))


class TestOverSshOfAnOlderProtocol:
    async def test_a_server_that_lets_nobody_ask_for_version_2_is_asked_in_its_own(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            server.protocol_2 = False
            server.restart()
            old = source(server, repository)
            first = await fetched(old, await old.resolve(), tmp_path, name="first")
            assert set(files_in(first)) == {"flows.py"}
            repository.commit_files({"flows.py": "ANSWER = 42\n"})
            second = await fetched(old, await old.resolve(), tmp_path, name="second")
            assert files_in(second) == {"flows.py": b"ANSWER = 42\n"}
            with pytest.raises(RevisionGone):
                await fetched(old, Revision(id="0123456789" * 4), tmp_path, name="third")


class TestExchange:
    async def test_a_poll_names_no_more_than_what_is_asked_for(
        self, shared: SshServer, repository: FixtureRepository
    ) -> None:
        repository.set_ref("refs/heads/other", repository.tip())
        wire = GitWire(parse_url(shared.url(repository.path))[0])
        for _ in range(2):
            found = wire.refs(["refs/heads/main"], login=login(shared), checkpoint=lambda: None)
            assert found.objects == {"refs/heads/main": repository.tip()}

    async def test_of_a_server_that_can_leave_files_out_only_those_that_are_wanted_come(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        repository.commit_files({"etl/flows.py": "ANSWER = 42\n", "other/large.bin": b"large" * 1000})
        with Repo(str(repository.path)) as repo:
            config = repo.get_config()
            config.set(b"uploadpack", b"allowFilter", True)
            config.set(b"uploadpack", b"allowAnySHA1InWant", True)
            config.write_to_path()
        credentials = GitCredentials(ssh_key_file=shared.key, known_hosts_file=shared.known_hosts)
        part = GitRepository(shared.url(repository.path), directories=["etl"], credentials=credentials)
        assert set(files_in(await fetched(part, await part.resolve(), tmp_path))) == {"etl/flows.py"}
        left_out = Blob.from_string(b"large" * 1000).id
        with Repo(str(tmp_path / "workspace" / "objects")) as store:
            assert left_out not in store.object_store

    async def test_whether_history_was_rewritten_is_told(
        self, shared: SshServer, repository: FixtureRepository
    ) -> None:
        old = Revision(id=repository.tip())
        new = Revision(id=repository.commit_files({"flows.py": "ANSWER = 42\n"}))
        assert await source(shared, repository).descends(new, old) is True
        assert await source(shared, repository).descends(old, new) is False

    async def test_a_commit_that_is_not_there_is_gone(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with pytest.raises(RevisionGone, match="does not have commit 0123456789"):
            await fetched(source(shared, repository), Revision(id="0123456789" * 4), tmp_path)

    async def test_a_repository_that_is_not_there_is_missing(self, shared: SshServer, tmp_path: Path) -> None:
        missing = FixtureRepository(tmp_path / "flosw.git")
        with pytest.raises(SourceMissing, match=r"no repository at ssh://.*/flosw\.git .*not appear to be a git"):
            await source(shared, missing).resolve()

    async def test_a_directory_that_ssh_would_take_for_a_command_is_one(
        self, shared: SshServer, tmp_path: Path
    ) -> None:
        evil = FixtureRepository.create(tmp_path / "';touch stolen;'$(touch stolen)`touch stolen`.git")
        evil.commit_files({"flows.py": ""})
        assert (await source(shared, evil).resolve()).id == evil.tip()
        assert not list(tmp_path.rglob("stolen"))
        assert not (Path.home() / "stolen").exists()


class TestWhoIsLetIn:
    async def test_another_key_is_not(self, shared: SshServer, repository: FixtureRepository, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        with pytest.raises(AuthenticationFailed, match=f"refused user '{shared.user}' with the key {tmp_path}/other"):
            await source(shared, repository, ssh_key_file=tmp_path / "other").resolve()

    async def test_a_key_that_waits_for_a_passphrase_is_said_to(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "protected", passphrase="correct horse")
        shared.let_in(tmp_path / "protected")
        with pytest.raises(AuthenticationFailed, match=r"protected is protected with a passphrase.*agent"):
            await source(shared, repository, ssh_key_file=tmp_path / "protected").resolve()

    async def test_a_key_that_others_may_read_is_said_to(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        shutil.copy(shared.key, tmp_path / "open")
        (tmp_path / "open").chmod(0o644)
        with pytest.raises(AuthenticationFailed, match=r"others may read it\. Set its permissions to 0600"):
            await source(shared, repository, ssh_key_file=tmp_path / "open").resolve()

    async def test_what_is_no_key_is_said_to_be_none(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        (tmp_path / "junk").write_text("junk")
        (tmp_path / "junk").chmod(0o600)
        with pytest.raises(AuthenticationFailed, match="junk is none that ssh can use"):
            await source(shared, repository, ssh_key_file=tmp_path / "junk").resolve()

    async def test_the_keys_of_an_agent_are_tried_by_default(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = shared.url(repository.path)
        by_agent = GitRepository(url, credentials=GitCredentials(known_hosts_file=shared.known_hosts))
        with agent(tmp_path / "agent") as listening:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(listening))
            with pytest.raises(AuthenticationFailed, match="knows none of the keys of the agent"):
                await by_agent.resolve()
            subprocess.run(["ssh-add", "-q", str(shared.key)], check=True, capture_output=True)
            assert (await by_agent.resolve()).id == repository.tip()

    async def test_a_callable_gives_the_key_too(self, shared: SshServer, repository: FixtureRepository) -> None:
        given = {"ssh_key_file": str(shared.key), "known_hosts_file": str(shared.known_hosts)}
        asked = GitRepository(shared.url(repository.path), credentials=lambda: given)
        assert (await asked.resolve()).id == repository.tip()

    @pytest.mark.parametrize("name", ["ssh_key_file", "known_hosts_file"])
    async def test_a_file_that_is_not_there_is_named_and_looked_for_again(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, name: str
    ) -> None:
        file = tmp_path / "later"
        later = source(shared, repository, **{name: file})
        with pytest.raises(AuthenticationFailed, match=f"credentials: {name} {file} cannot be read"):
            await later.resolve()
        shutil.copy(shared.key if name == "ssh_key_file" else shared.known_hosts, file)
        assert (await later.resolve()).id == repository.tip()


class TestWhoIsBelieved:
    @pytest.mark.parametrize("kind", get_args(KeyType))
    async def test_a_server_with_a_host_key_of_any_kind_that_is_known(
        self, repository: FixtureRepository, tmp_path: Path, kind: KeyType
    ) -> None:
        with ssh_server(tmp_path / "sshd", host_key=kind) as server:
            assert (await source(server, repository).resolve()).id == repository.tip()

    async def test_a_server_that_is_known_by_the_hash_of_its_name(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        shutil.copy(shared.known_hosts, tmp_path / "hashed")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "hashed"], check=True, capture_output=True)
        assert "127.0.0.1" not in (tmp_path / "hashed").read_text()
        hashed = source(shared, repository, known_hosts_file=tmp_path / "hashed")
        assert (await hashed.resolve()).id == repository.tip()

    async def test_no_server_that_is_unknown(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").write_text("")
        with pytest.raises(AuthenticationFailed, match=r"is not known, .* `ssh-keyscan -p \d+ 127\.0\.0\.1`"):
            await source(shared, repository, known_hosts_file=tmp_path / "empty").resolve()
        assert (tmp_path / "empty").read_text() == ""

    async def test_no_server_that_has_another_key_than_before(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            await source(server, repository).resolve()
            known = server.known_hosts.read_text()
            server.take_another_host_key()
            with pytest.raises(AuthenticationFailed, match=f"another host key .* replace it in {server.known_hosts}"):
                await source(server, repository).resolve()
            assert server.known_hosts.read_text() == known


class TestTrouble:
    async def test_nobody_listening_is_said_with_the_reason(
        self, repository: FixtureRepository, tmp_path: Path
    ) -> None:
        with ssh_server(tmp_path / "sshd") as server:
            pass
        with pytest.raises(SourceUnavailable, match="cannot be reached: Connection refused"):
            await source(server, repository).resolve()

    async def test_an_unknown_host_is_said_to_be_unknown(self) -> None:
        requires("ssh")
        with pytest.raises(SourceUnavailable, match="cannot be reached: its name is not known"):
            await GitRepository("git@flows.invalid:org/r.git").resolve()

    async def test_a_server_that_speaks_something_else_is_unavailable(self) -> None:
        with (
            listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port,
            pytest.raises(SourceUnavailable, match="cannot be reached"),
        ):
            await GitRepository(f"ssh://git@127.0.0.1:{port}/r.git").resolve()

    async def test_a_machine_without_ssh_is_told_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceInvalid, match=r"not installed; install it \(the package openssh-client\)"):
            await GitRepository("git@flows.invalid:org/r.git").resolve()

    async def test_a_server_that_falls_silent_is_given_up_and_its_ssh_is_gone(self) -> None:
        left = threading.Event()
        with listening(lambda connection: waits_for_the_end(connection, left)) as port:
            wire = GitWire(parse_url(f"ssh://git@127.0.0.1:{port}/r.git")[0], Patience(head=0.3, connect=20))
            with pytest.raises(SourceUnavailable, match=r"did not begin to answer within 0\.3 s"):
                wire.refs(["HEAD"], login=None, checkpoint=lambda: None)
            assert left.wait(10)

    async def test_nobody_has_to_wait_for_it(self) -> None:
        left = threading.Event()
        with listening(lambda connection: waits_for_the_end(connection, left)) as port:
            with anyio.move_on_after(0.1) as scope:
                await GitRepository(f"ssh://git@127.0.0.1:{port}/r.git").resolve()
            assert scope.cancelled_caught
            await until(left.is_set)

    async def test_no_ssh_is_left_behind(
        self, shared: SshServer, repository: FixtureRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[subprocess.Popen[bytes]] = []
        popen = subprocess.Popen

        def recorded(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
            begun.append(popen(*args, **kwargs))  # type: ignore[call-overload]
            return begun[-1]

        monkeypatch.setattr("flowsource.sources.git.wire.ssh_session.subprocess.Popen", recorded)
        good = source(shared, repository)
        await fetched(good, await good.resolve(), tmp_path)
        with pytest.raises(SourceError):
            await source(shared, FixtureRepository(tmp_path / "none.git")).resolve()
        assert len(begun) == 3
        assert all(process.returncode is not None for process in begun)


class TestCommand:
    """What ssh is told, without one that runs."""

    def test_nothing_of_an_address_is_taken_for_an_option(self) -> None:
        told = ssh.command(parse_url("ssh://git@example.org:2222/a'b c.git")[0], SshLogin(), Patience())
        assert told[0] == "ssh"
        assert told[-7:] == ["-p", "2222", "-l", "git", "--", "example.org", told[-1]]
        assert shlex.split(told[-1]) == ["git-upload-pack", "/a'b c.git"]

    @pytest.mark.parametrize(("url", "path"), [("git@h.org:o/r.git", "o/r.git"), ("ssh://h.org/~ada/r", "~ada/r")])
    def test_a_path_is_asked_for_as_it_was_meant(self, url: str, path: str) -> None:
        told = ssh.command(parse_url(url)[0], SshLogin(), Patience())
        assert told[-1] == f"git-upload-pack '{path}'"

    @pytest.mark.parametrize(
        "option", ["BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "PermitLocalCommand=no"]
    )
    def test_no_configuration_makes_it_ask_or_believe(self, option: str) -> None:
        told = ssh.command(parse_url("git@h.org:r.git")[0], SshLogin(), Patience())
        assert told[told.index(option) - 1] == "-o"

    def test_a_key_is_the_only_one_that_is_tried(self, tmp_path: Path) -> None:
        key = tmp_path / "100% mine"
        told = ssh.command(parse_url("git@h.org:r.git")[0], SshLogin(key=key), Patience())
        assert f'IdentityFile="{tmp_path}/100%% mine"' in told
        assert "IdentitiesOnly=yes" in told

    @pytest.mark.parametrize("name", ['quo"te', "${HOME}", "back\\slash", "new\nline"])
    def test_a_file_whose_name_means_something_to_ssh_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InvalidInput, match=r"known_hosts_file .* holds letters that ssh takes for its own"):
            ssh.command(parse_url("git@h.org:r.git")[0], SshLogin(known_hosts=tmp_path / name), Patience())

    def test_the_user_of_the_address_goes_before_that_of_the_credentials(self) -> None:
        for url, user in (("ssh://git@h.org/r.git", "git"), ("ssh://h.org/r.git", "ada")):
            told = ssh.command(parse_url(url)[0], SshLogin(user="ada"), Patience())
            assert told[told.index("-l") + 1] == user

    @pytest.mark.parametrize("user", ["-oProxyCommand=x", "a%h", "a b", "$(x)"])
    def test_a_user_that_would_mean_something_else_is_refused(self, user: str) -> None:
        with pytest.raises(InvalidInput, match=r"username .* none that ssh can be told"):
            ssh.command(parse_url("ssh://h.org/r.git")[0], SshLogin(user=user), Patience())

    def test_its_environment_holds_nothing_that_it_does_not_need(self) -> None:
        environ = {"HOME": "/home/ada", "PATH": "/bin", "SSH_AUTH_SOCK": "/run/agent", "REPO_TOKEN": "s3cret"}
        environ |= {"LANG": "de_DE.UTF-8", "GIT_SSH_COMMAND": "touch x", "SSH_ASKPASS": "/bin/x"}
        assert ssh.environment(environ) == {
            "HOME": "/home/ada",
            "PATH": "/bin",
            "SSH_AUTH_SOCK": "/run/agent",
            "LC_ALL": "C",
            "GIT_PROTOCOL": "version=2",
            "SSH_ASKPASS_REQUIRE": "never",
        }

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", SourceMissing),
            ("remote: ERROR: The project you were looking for could not be found or you don't have", SourceMissing),
            ("Gitea: Unauthorized", AuthenticationFailed),
            ("ERROR: Permission to org/repo.git denied to deploy key", AuthenticationFailed),
            ("bash: git-upload-pack: command not found", None),
            ("fatal: git upload-pack: not our ref 0123", None),
            ("", None),
        ],
    )
    def test_what_forges_say_is_understood(self, said: str, kind: type[SourceError] | None) -> None:
        error = ssh.refused(parse_url("git@h.org:r.git")[0], said)
        assert type(error) is (kind or type(None))

    def test_what_a_server_says_cannot_command_a_terminal(self) -> None:
        error = ssh.explained(parse_url("git@h.org:r.git")[0], SshLogin(), "ssh: \x1b[2J\u202e\n")
        assert str(error).isprintable()


class TestArguments:
    def test_a_token_is_of_no_use_over_ssh_and_a_key_of_none_over_http(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"an access token is of no use for git@h\.org:r\.git"):
            GitRepository("git@h.org:r.git", credentials={"token": "s3cret"})
        with pytest.raises(InvalidInput, match=r"an SSH key is of no use for https://h\.org/r\.git"):
            GitRepository("https://h.org/r.git", credentials={"ssh_key_file": str(tmp_path)})

    async def test_a_callable_that_gives_the_wrong_kind_is_told_so(self) -> None:
        with pytest.raises(AuthenticationFailed, match="asked over SSH, where no token is of use"):
            await GitRepository("git@h.org:r.git", credentials=lambda: {"token": "s3cret"}).resolve()
        with pytest.raises(AuthenticationFailed, match="asked over HTTP, not SSH"):
            await GitRepository("https://h.org/r.git", credentials=lambda: {"ssh_key_file": "x"}).resolve()

    def test_equal_spellings_have_one_key_and_other_identities_another(self) -> None:
        spellings = ["ssh://git@h.org/o/r.git", "ssh://git@H.org:22/o/r.git/", "git@h.org:/o/r.git"]
        assert len({GitRepository(url).key for url in spellings}) == 1
        others = ["git@h.org:o/r.git", "ssh://h.org/o/r.git", "ssh://git@h.org:23/o/r.git"]
        assert len({GitRepository(url).key for url in (*spellings, *others)}) == 4
        keys = {GitRepository("git@h.org:r.git", credentials={"ssh_key_file": f"/{name}"}).key for name in "ab"}
        assert len(keys) == 2

    @pytest.mark.parametrize("name", ["proxy", "ca_bundle", "client_certificate"])
    def test_what_is_for_https_is_refused(self, tmp_path: Path, name: str) -> None:
        if name != "proxy":
            pytest.importorskip("trustme").CA().issue_cert("h.org").private_key_and_cert_chain_pem.write_to_path(
                tmp_path / "both.pem"
            )
        given = {name: "http://proxy:1" if name == "proxy" else str(tmp_path / "both.pem")}
        with pytest.raises(InvalidInput, match=r"are for https, and git@h\.org:r\.git is reached otherwise"):
            GitRepository("git@h.org:r.git", **given)  # type: ignore[arg-type]


@contextmanager
def agent(at: Path) -> Iterator[Path]:
    """An ssh-agent that holds no key yet, listening there."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(at)], stdout=subprocess.DEVNULL, env=os.environ)
    try:
        for _ in range(1000):
            if at.exists():
                break
            process.poll()
            threading.Event().wait(0.01)
        yield at
    finally:
        process.terminate()
        process.wait()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on the port that this gives, for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def waits_for_the_end(connection: socket.socket, left: threading.Event) -> None:
    """Say nothing, until who asked is gone."""
    connection.settimeout(20)
    while connection.recv(1000):
        pass
    left.set()
