"""Where settings are given: by arguments, in the environment, and in a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

# The variable that names the file, and the file of the working directory that is read without it.
CONFIG = "FLOWSOURCE_CONFIG"
FILE = "flowsource.toml"
# What that file says beside settings: the deployments that `flowsource serve` is to serve.
DEPLOYMENTS = "deployments"


@dataclass(frozen=True, slots=True)
class Given:
    """A setting as it was given: its text, and by what."""

    text: str
    label: str


def variable_of(name: str) -> str:
    """The environment variable of the setting called `name`.

    >>> variable_of("log_format")
    'FLOWSOURCE_LOG_FORMAT'
    """
    return f"FLOWSOURCE_{name.upper()}"


def read_given(
    environ: Mapping[str, str], arguments: Mapping[str, str | None], *, known: Collection[str]
) -> tuple[dict[str, Given], list[str]]:
    """Each of the `known` settings that was given, by name, and what is wrong with the file.

    `arguments` win, then the environment, then the file: the one that FLOWSOURCE_CONFIG names, else flowsource.toml in
    the working directory, if there is one. What is empty, or None, counts as not given.
    """
    found, problems = _in_file(environ, known)
    found |= {name: Given(environ[variable], variable) for name in known if environ.get(variable := variable_of(name))}
    found |= {name: Given(text, name) for name, text in arguments.items() if text}
    return found, problems


def _in_file(environ: Mapping[str, str], known: Collection[str]) -> tuple[dict[str, Given], list[str]]:
    named = environ.get(CONFIG)
    path = Path(named or FILE)
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        return {}, [f"{CONFIG}: {path} cannot be read ({error.strerror})."] if named else []
    except OSError as error:
        return {}, [f"{CONFIG if named else FILE}: {path} cannot be read ({error.strerror})."]
    except UnicodeDecodeError:
        return {}, [f"{path}: this is not text in UTF-8."]
    if not text:
        return {}, []
    # Here and not above: most have no file, and are not to wait for this.
    import tomllib

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [f"{path}: this is not TOML: {error}."]
    found, problems = {}, []
    for name, value in values.items():
        label = f"{path}: {name}"
        if name == DEPLOYMENTS:
            continue
        if name not in known:
            problems.append(f"{label}: there is no such setting{_near(name, known)}.")
        elif isinstance(value, bool) or not isinstance(value, str | int):
            problems.append(f"{label}: the value is neither text nor a whole number.")
        elif value != "":
            found[name] = Given(str(value), label)
    return found, problems


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; {near[0]} may be meant" if near else f"; there are {', '.join(known)}"
