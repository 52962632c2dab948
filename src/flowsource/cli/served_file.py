"""The deployments that a file lists, in its `[[deployments]]` tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from flowsource.cli.served_tables import deployment_in
from flowsource.configuration import DEPLOYMENTS
from flowsource.errors import InvalidDeployment, InvalidInput, InvalidSettings
from flowsource.runner.serving import RunnerDeployment
from flowsource.settings import Settings

_EXAMPLE = """\
[[deployments]]
source = "https://example.org/team/flows.git"
entrypoint = "flows/etl.py:nightly"
cron = "0 2 * * *\""""


def deployments_in(path: Path) -> list[RunnerDeployment]:
    """The deployments that the file at `path` lists, in its order; directories in it are found from where it is.

    Raises InvalidInput where there is nothing to read or no list, InvalidDeployment with all that is wrong with any of
    them, and with the settings beside them.
    """
    tables = _tables(path)
    made: list[RunnerDeployment] = []
    problems = []
    for number, table in enumerate(tables, 1):
        named = f" ({table['name']})" if isinstance(table.get("name"), str) else ""
        try:
            made.append(deployment_in(table, base=path.absolute().parent))
        except InvalidDeployment as error:
            problems += [f"{path}: {DEPLOYMENTS} {number}{named}: {line}" for line in str(error).splitlines()]
    try:
        Settings.load()
    except InvalidSettings as error:
        problems.append(str(error))
    if problems:
        raise InvalidDeployment("\n".join(problems))
    return made


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read ({error.strerror}). Give a source and an entrypoint, or a file that lists "
            f"deployments:\n{_EXAMPLE}"
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: this is not text in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path}: this is not TOML: {error}.") from None
    tables = said.get(DEPLOYMENTS)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InvalidInput(f"{path}: it lists no deployments. A deployment is a table such as\n{_EXAMPLE}")
    return tables
