"""Errors as answers: problem details as RFC 9457 has them."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from flowsource.errors import FlowsourceError, InvalidParameters, InvalidQuery, NotFound, StoreError
from flowsource.server.pages.trouble import problem_page, wants_page
from flowsource.store.http.failures import error_json, status_of

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def problem(error: FlowsourceError) -> Response:
    """The answer that tells an error: `detail` for people, `error` for flowsource on the other side."""
    status = status_of(error)
    told: dict[str, Any] = {
        "type": f"urn:flowsource:error:{type(error).__name__}",
        "title": (type(error).__doc__ or "").partition("\n")[0],
        "status": status,
        "detail": str(error),
        "error": error_json(error),
    }
    if isinstance(error, InvalidParameters):
        told["fields"] = error.problems
    if isinstance(error, InvalidQuery):
        told["words"] = [asdict(one) for one in error.problems]
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return _answer(told, status, headers)


def plain_problem(status: int, detail: str, *, fields: dict[str, str] | None = None) -> Response:
    """The answer that tells what has no error of ours."""
    told: dict[str, Any] = {"type": "about:blank", "status": status, "detail": detail}
    return _answer(told | ({"fields": fields} if fields else {}), status, {})


def tell_problems(app: FastAPI) -> None:
    """Have `app` answer in this way to whatever goes wrong."""
    app.add_exception_handler(FlowsourceError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(HTTPException, _of_route)
    app.add_exception_handler(ClientDisconnect, _of_who_left)
    app.add_exception_handler(Exception, _unexpected)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, FlowsourceError)
    return problem_page(request, error) if wants_page(request) else problem(error)


async def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if wants_page(request):
        return problem_page(request, NotFound("there is no such page."))
    # Where it is and what is wrong with it, never what was sent: that may be a secret.
    fields = {".".join(map(str, one["loc"])): str(one["msg"]) for one in error.errors()}
    told = "; ".join(f"{where}: {why}" for where, why in fields.items())
    return plain_problem(422, f"{told}. Correct the request.", fields=fields)


async def _of_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and wants_page(request):
        return problem_page(request, NotFound("there is no such page."))
    return plain_problem(error.status_code, str(error.detail))


async def _of_who_left(_: Request, error: Exception) -> Response:
    # Nobody reads it. Who hangs up before he has said all is no fault of ours, and may come back in crowds.
    return plain_problem(400, "the request was not sent to its end.")


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("the request %s could not be answered", request.scope["path"], exc_info=error)
    told = StoreError("the server could not answer this; its log says why.")
    return problem_page(request, told) if wants_page(request) else problem(told)


def _answer(told: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(json.dumps(told), status, headers, MEDIA_TYPE)
