"""What ssh is told, and what it says, without one that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flowsource.errors import AuthenticationFailed, InvalidInput, SourceError, SourceMissing
from flowsource.sources.git.credentials import SshLogin
from flowsource.sources.git.urls import parse_url
from flowsource.sources.git.wire import ssh
from flowsource.sources.git.wire.patience import Patience

pytestmark = pytest.mark.anyio


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
