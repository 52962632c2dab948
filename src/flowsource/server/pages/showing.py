"""Pages out of templates, with what each of them has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from flowsource.cli.times import duration, relative
from flowsource.revisions import Revision
from flowsource.server.access import the_store
from flowsource.server.pages.assets import path_of
from flowsource.server.pages.marks import deployment_mark, run_mark, source_mark
from flowsource.server.pages.packing import pack
from flowsource.server.streaming import ALIVE_EVERY
from flowsource.store.http.wire import OUR_VERSION
from flowsource.tokens import Token

# Nothing but ours, and no styles or scripts in the text of a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Where each page is, in the order in which they are offered.
PLACES = (
    ("Overview", "/"),
    ("Runs", "/runs"),
    ("Sources", "/sources"),
    ("Runners", "/runners"),
    ("Events", "/events"),
)
_FOR_ADMINS = (("Tokens", "/tokens"),)


def page(
    request: Request,
    template: str,
    *,
    title: str,
    token: Token | None,
    status: int = 200,
    twin: str | None = None,
    **values: Any,
) -> Response:
    """The page that `template` makes of `values`, for who showed `token`.

    `twin` is the path of the same for programs, without its ending.
    """
    root = request.scope.get("root_path", "")
    may_administer = token is not None and token.may("admin")
    text = (
        _templates()
        .get_template(template)
        .render(
            title=title,
            root=root,
            here=request.url.path.removeprefix(root),
            csrf=getattr(request.state, "csrf", None),
            token=token,
            may_act=token is not None and token.may("operator"),
            may_administer=may_administer,
            now=the_store(request).now(),
            version=OUR_VERSION,
            alive_every=ALIVE_EVERY.total_seconds(),
            twin=twin,
            asked=f"?{request.url.query}" if request.url.query else "",
            places=PLACES + _FOR_ADMINS if may_administer else PLACES,
            **values,
        )
    )
    return pack(request, HTMLResponse(text, status, headers={"content-security-policy": POLICY}))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("flowsource.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Parameters stand in the order of the signature.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    environment.filters.update(
        {
            "ago": _ago,
            "duration": duration,
            "took": _took,
            "count": len,
            "pretty": _pretty,
            "short": _short,
            "commands": _commands,
        }
    )
    environment.globals.update(
        {
            "asset": path_of,
            "run_mark": run_mark,
            "source_mark": source_mark,
            "deployment_mark": deployment_mark,
        }
    )
    return environment


def _ago(at: datetime | None, now: datetime) -> Markup:
    """An instant: how far away it is, and on the clocks when one points at it."""
    if at is None:
        return Markup("&ndash;")
    told = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        told.isoformat(), f"{told:%Y-%m-%d %H:%M:%S} UTC", relative(at, now=now)
    )


def _took(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    if started_at is None:
        return ""
    return duration(max((ended_at or now) - started_at, timedelta()))


def _pretty(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, indent=2, default=str)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _short(revision: Revision | None) -> str:
    return revision.short if revision is not None else "-"


def _commands(text: str) -> Markup:
    """What is said, with each `command` in it as one that can be copied."""
    parts = text.split("`")
    # Between the first mark and the second, the third and the fourth.
    said = [
        Markup("<code data-copy>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)
    ]
    return Markup("").join(said)
