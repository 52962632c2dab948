"""`flowsource serve`: serve flows from where their code is, without a script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import anyio
from cyclopts import Parameter

from flowsource.cli import exits
from flowsource.cli.given import parameters_from
from flowsource.cli.served_file import deployments_in
from flowsource.cli.served_tables import deployment_in, fetched
from flowsource.configuration import CONFIG, FILE
from flowsource.errors import InvalidInput
from flowsource.runner.serving import RunnerDeployment
from flowsource.runner.serving import serve as serve_deployments


def serve(
    source: str | None = None,
    entrypoint: str | None = None,
    /,
    *,
    name: str | None = None,
    cron: tuple[str, ...] = (),
    interval: tuple[str, ...] = (),
    rrule: tuple[str, ...] = (),
    timezone: str | None = None,
    param: Annotated[tuple[str, ...], Parameter(name=["-p", "--param"], allow_leading_hyphen=True)] = (),
    params: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    tag: tuple[str, ...] = (),
    limit: int | None = None,
    branch: str | None = None,
    tag_ref: str | None = None,
    ref: str | None = None,
    commit: str | None = None,
    token_env: str | None = None,
    file: Annotated[Path | None, Parameter(name=["-f", "--file"])] = None,
    no_dashboard: bool = False,
) -> int:
    """Serve a flow from where its code is, until Ctrl-C; or all deployments that a file lists.

    Without a source it is the file: the one of --file, else of FLOWSOURCE_CONFIG, else flowsource.toml here.

    Parameters
    ----------
    source
        Where the code is: a directory, the URL of a Git repository, or an address such as s3://bucket/prefix.
    entrypoint
        The flow in it, as path/to/file.py:name.
    name
        What to call the deployment; else it is called as the function.
    cron
        When it runs: a cron expression, such as '0 2 * * 1-5'; may be given again.
    interval
        How often it runs: seconds, or such as 90m, 1h30m or 2d; may be given again.
    rrule
        When it runs: a recurrence rule, such as 'FREQ=MONTHLY;BYDAY=-1FR'; may be given again.
    timezone
        On the clock of which zone, such as Europe/Berlin; else UTC.
    param
        A parameter of its runs as name=value; the value is read as JSON where it is some. May be given again.
    params
        Parameters as a JSON object, as @FILE that holds one, or as - for standard input.
    tag
        A tag of its runs; may be given again.
    limit
        How many of its runs may go on at once here; else as many as there are processors.
    branch
        The branch of the repository to follow; by default the one that its HEAD stands for.
    tag_ref
        The tag of the repository to follow.
    ref
        The full name of any ref to follow, such as refs/pull/7/head.
    commit
        The commit to serve, whatever is newer.
    token_env
        The environment variable that holds the access token of the repository.
    file
        A file that lists deployments in tables [[deployments]]; what else it says are settings.
    no_dashboard
        Have no dashboard on this machine.
    """
    given = {
        "name": name,
        "cron": list(cron),
        "interval": list(interval),
        "rrule": list(rrule),
        "timezone": timezone,
        "parameters": parameters_from(params, param, {}),
        "tags": list(tag),
        "limit": limit,
        "branch": branch,
        "tag_ref": tag_ref,
        "ref": ref,
        "commit": commit,
        "token_env": token_env,
    }
    table = {key: value for key, value in given.items() if value not in (None, [], {})}
    if source is None:
        deployments = deployments_in(_file(file, table))
    elif entrypoint is None:
        raise InvalidInput("ENTRYPOINT: it is missing; say which flow of the source, as path/to/file.py:name.")
    elif file is not None:
        raise InvalidInput("--file: it lists deployments with their sources; give it, or a source.")
    else:
        deployments = [deployment_in({**table, "source": source, "entrypoint": entrypoint}, base=Path.cwd())]
    # As where a script declares one after the other: they share one exchange with the remote of their source.
    found = anyio.run(_fetched, deployments)
    most = found[0].declared.limit if len(found) == 1 else None
    serve_deployments(*found, limit=most or "cpus", webserver=not no_dashboard)
    return exits.OK


def _file(given: Path | None, table: dict[str, Any]) -> Path:
    """The file that lists the deployments. Its settings hold for this process."""
    if table:
        option = next(iter(table)).replace("_", "-").removesuffix("s")
        raise InvalidInput(f"--{option}: it goes with a source; give one, or say it in the file.")
    path = given or Path(os.environ.get(CONFIG) or FILE)
    if given is not None or path.exists():
        os.environ[CONFIG] = str(path)
    return path


async def _fetched(deployments: list[RunnerDeployment]) -> list[RunnerDeployment]:
    return [await fetched(deployment) for deployment in deployments]
