"""What went wrong, as a page for who looks with a browser."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from flowsource.errors import FlowsourceError, NotAuthenticated
from flowsource.server.pages.showing import page
from flowsource.store.http.failures import status_of


def wants_page(request: Request) -> bool:
    """Whether a person asks, with a browser, for a page."""
    is_for_programs = request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/api/")
    return not is_for_programs and request.method == "GET" and "text/html" in request.headers.get("accept", "")


def problem_page(request: Request, error: FlowsourceError) -> Response:
    """The page that tells `error`, and what to do."""
    status = status_of(error)
    if isinstance(error, NotAuthenticated):
        # What helps somebody at a terminal helps nobody here.
        what = _sentence(error).partition(".")[0]
        return page(request, "not_in.html", title="You are not in", token=None, status=status, detail=f"{what}.")
    return page(
        request,
        "problem.html",
        title=_title(status),
        token=None,
        status=status,
        detail=_sentence(error),
        # Such a fault may be over by then.
        again=request.url.path + (f"?{request.url.query}" if request.url.query else "") if status >= 500 else None,
    )


def _title(status: int) -> str:
    if status == 404:
        return "Not found"
    return "That cannot be done" if status < 500 else "That did not work"


def _sentence(error: FlowsourceError) -> str:
    said = str(error)
    # An address stays as it is.
    return said if "://" in said.partition(" ")[0] else said[:1].upper() + said[1:]
