"""How the system's `ssh` is called, and what is made of its complaints."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flowsource.errors import (
    AuthenticationFailed,
    InvalidInput,
    SourceError,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from flowsource.sources.git.credentials import SshLogin
from flowsource.sources.git.text import harmless
from flowsource.sources.git.urls import Address, is_ssh_user
from flowsource.sources.git.wire.patience import Patience

# ssh itself, not what it was to run, failed.
OWN_FAILURE: Final = 255

_OPTIONS: Final = (
    # Nobody sits there to answer a question, and a server that is not known is not believed.
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    # What a configuration may ask for beside: it is of no use here, or lends the server something of ours.
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RequestTTY=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    # The version of the protocol, by the one way that servers let through.
    "SendEnv=GIT_PROTOCOL",
)
# The rest of the environment is none of the server's business, nor of the programs that a configuration names.
_PASSED_ON: Final = ("HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "SSH_AUTH_SOCK")


def command(address: Address, login: SshLogin, patience: Patience) -> list[str]:
    """The arguments that have ssh ask `address` for a pack. No shell reads them on this machine."""
    options = [*_OPTIONS, f"ConnectTimeout={math.ceil(patience.connect)}"]
    if login.key is not None:
        options += [f"IdentityFile={_file('ssh_key_file', login.key)}", "IdentitiesOnly=yes"]
    if login.known_hosts is not None:
        known = _file("known_hosts_file", login.known_hosts)
        options += [f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=none"]
    arguments = ["ssh", "-T"]
    for option in options:
        arguments += ["-o", option]
    if address.port is not None:
        arguments += ["-p", str(address.port)]
    if (user := address.user or login.user) is not None:
        if not is_ssh_user(user):
            raise InvalidInput(f"credentials: username {user!r} is none that ssh can be told; correct it.")
        arguments += ["-l", user]
    # The login shell of the other side reads this. Some servers read it themselves, and take no other quotes.
    quoted = "'" + address.remote_path.replace("'", "'\\''") + "'"
    return [*arguments, "--", address.host, f"git-upload-pack {quoted}"]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What ssh is given of the environment: what it finds its files, its agent and its programs with."""
    kept = {name: environ[name] for name in _PASSED_ON if name in environ}
    # Its complaints are read, so they must not be in the language of who is at the terminal.
    return {**kept, "LC_ALL": "C", "GIT_PROTOCOL": "version=2", "SSH_ASKPASS_REQUIRE": "never"}


def explained(address: Address, login: SshLogin, said: str) -> SourceError:
    """The error for an ssh that failed, from what it said."""
    where, known_hosts = address.url, login.known_hosts or "~/.ssh/known_hosts"
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said or "Host key for" in said:
        return AuthenticationFailed(
            f"{where} identifies itself with another host key than the one that is known. Somebody may be listening; "
            f"or its key was changed: then ask its owner for the new one, and replace it in {known_hosts}."
        )
    if "Host key verification failed" in said or "host key is known for" in said:
        port = f"-p {address.port} " if address.port else ""
        return AuthenticationFailed(
            f"the host key of {where} is not known, so nobody can tell whether it is the right server. Put it into "
            f"{known_hosts}: `ssh-keyscan {port}{address.host}` prints it; compare it with what its owner publishes."
        )
    if re.search(r"Permission denied \(|Too many authentication failures|UNPROTECTED PRIVATE KEY", said):
        return _not_let_in(address, login, said)
    reason = _reason(said)
    if "no matching" in reason or "Unable to negotiate" in said:
        return SourceInvalid(f"ssh and {where} agree on no way to speak safely: {reason}. Ask its owner.")
    if "Bad configuration option" in said or "terminating, " in said:
        return SourceInvalid(f"ssh does not take its own configuration: {reason}. Correct it.")
    if "Could not resolve hostname" in said:
        reason = "its name is not known"
    return SourceUnavailable(f"{where} cannot be reached: {reason}.")


def refused(address: Address, said: str) -> SourceError | None:
    """The error for what the server said in place of an answer, if it says that there is nothing for us."""
    if re.search(
        r"does not appear to be a git repository|not found|does not exist|could not be found|cannot find repository"
        r"|no such",
        said,
        re.IGNORECASE,
    ) and not re.search(r"command not found|git-upload-pack: not found|not our ref", said):
        return SourceMissing(
            f"there is no repository at {address.url} ({_reason(said)}); check the URL, and that the key may read it."
        )
    if re.search(r"denied|unauthori[sz]ed|not allowed", said, re.IGNORECASE):
        return AuthenticationFailed(
            f"{address.url} does not let this key read the repository ({_reason(said)}); allow it there."
        )
    return None


def is_protected(key: Path) -> bool:
    """Whether a private key can be used with a passphrase only."""
    try:
        text = key.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    if "ENCRYPTED" in text:
        return True
    head, _, rest = text.partition("-----BEGIN OPENSSH PRIVATE KEY-----")
    body = rest.partition("-----END")[0]
    try:
        raw = base64.b64decode("".join(body.split()))
    except binascii.Error:
        return False
    # After a magic word comes the name of the cipher, with its length before it.
    return bool(raw) and not head.strip() and raw[15:23] != b"\0\0\0\x04none"


def _not_let_in(address: Address, login: SshLogin, said: str) -> AuthenticationFailed:
    where, user = address.url, address.user or login.user
    whom = f"user {user!r}" if user else "the user that ssh is configured for"
    if login.key is None:
        return AuthenticationFailed(
            f"{where} refused {whom}: it knows none of the keys of the agent and of ~/.ssh. "
            "Give credentials=GitCredentials(ssh_key_file=...), or add the key there."
        )
    if "UNPROTECTED PRIVATE KEY" in said:
        return AuthenticationFailed(
            f"ssh does not use the key {login.key}: others may read it. Set its permissions to 0600."
        )
    if is_protected(login.key):
        return AuthenticationFailed(
            f"the key {login.key} is protected with a passphrase, which nobody is there to type. Add it to an agent "
            "(SSH_AUTH_SOCK), or give a key without one."
        )
    if f'Load key "{login.key}"' in said:
        return AuthenticationFailed(f"the key {login.key} is none that ssh can use; give a private key.")
    return AuthenticationFailed(
        f"{where} refused {whom} with the key {login.key}; check that it is known there and may read the repository."
    )


def _reason(said: str) -> str:
    """The last thing that was said, without who says it: what went before is more of a greeting."""
    lines = [line.strip() for line in said.splitlines() if line.strip(" .-=*#\r")]
    told = [line for line in lines if re.match(r"(ssh: |fatal: |error: |remote: |kex_|gitea: )", line, re.IGNORECASE)]
    last = (told or lines or ["it says nothing"])[-1]
    return harmless(
        re.sub(r"^(ssh: connect to host \S+ port \d+|ssh|fatal|error|remote): ", "", last, flags=re.IGNORECASE)
    ).rstrip(".")


def _file(name: str, path: Path) -> str:
    """A path as a configuration of ssh has it, which may not hold everything."""
    text = str(path)
    if '"' in text or "${" in text or "\\" in text or not text.isprintable():
        raise InvalidInput(f"credentials: {name} {text!r} holds letters that ssh takes for its own; move the file.")
    return '"' + text.replace("%", "%%") + '"'
