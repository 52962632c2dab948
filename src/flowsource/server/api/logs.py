"""What runs wrote, over the API: in pages from either end, by what is looked for, or all of it as text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from flowsource.cli.json_shapes import instant_json, line_json
from flowsource.server.access import Shown, TheStore
from flowsource.server.api import models
from flowsource.server.api.answers import Cursor, Limit, after, part, told
from flowsource.server.api.places import line_place, place_text
from flowsource.server.api.routing import api_router
from flowsource.server.open_streams import counted
from flowsource.store.protocol import Store
from flowsource.store.values import AFTER_ALL, BEFORE_ALL, LineFilter, LogLine
from flowsource.text import printable
from flowsource.tokens import Token

router = api_router("/runs", tags=["runs"])

Viewer = Annotated[Token, Depends(Shown("viewer"))]
LevelName = Literal["debug", "info", "warning", "error", "critical"]
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "The log."}}


def lines_asked_for(
    level: Annotated[
        LevelName | None, Query(description="That level or above. What was printed, and not logged, is info.")
    ] = None,
    attempt: Annotated[int | None, Query(ge=1, description="Those of one attempt.")] = None,
    text: Annotated[
        str, Query(max_length=1000, description="With this in their text, in capitals or not (of a to z).")
    ] = "",
) -> LineFilter:
    """Which lines of a log a request asks for."""
    least = logging.getLevelNamesMapping()[level.upper()] if level is not None else 0
    return LineFilter(level=least, attempt=attempt, text=text)


Wanted = Annotated[LineFilter, Depends(lines_asked_for)]


@router.get("/{run_id}/logs", responses=told(models.Page[models.Line]))
async def show_lines(
    store: TheStore,
    _: Viewer,
    run_id: UUID,
    wanted: Wanted,
    backwards: Annotated[
        bool, Query(description="Begin with the last lines; `next` leads to those before. Each page is in order.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 500,
) -> Response:
    """What a run wrote, in order.

    Where not all is wanted a part of a long log is looked at: there may be few lines, or none, and still `next`.
    """
    await store.run(str(run_id))
    begin = line_place(after(cursor)) if cursor is not None else AFTER_ALL if backwards else BEFORE_ALL
    page = await store.find_lines(run_id, wanted, begin=begin, backwards=backwards, limit=limit)
    return part([line_json(line) for line in page.lines], None if page.is_last else place_text(page.upto))


@router.get("/{run_id}/logs.txt", responses=_TEXT, response_class=StreamingResponse)
async def download_lines(
    request: Request, store: TheStore, token: Viewer, run_id: UUID, wanted: Wanted
) -> StreamingResponse:
    """What a run wrote, as text: each line with its time, its level if a logger wrote it, and no signs that steer."""
    run = await store.run(str(run_id))
    return StreamingResponse(
        counted(request, token, _texts(store, run_id, wanted)),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{run.id}.txt"'},
    )


async def _texts(store: Store, run_id: UUID, wanted: LineFilter) -> AsyncIterator[str]:
    """The log, a page at a time: there is never more of it in memory."""
    place, attempt = BEFORE_ALL, 1
    while True:
        page = await store.find_lines(run_id, wanted, begin=place)
        shown = []
        for line in page.lines:
            if line.attempt != attempt:
                attempt = line.attempt
                shown.append(f"-- attempt {attempt} --\n")
            shown.append(_text(line))
        if shown:
            yield "".join(shown)
        if page.is_last:
            return
        place = page.upto


def _text(line: LogLine) -> str:
    level = f"{logging.getLevelName(line.level):<8}" if line.logger is not None else ""
    indented = printable(line.text).replace("\n", "\n    ")
    return f"{instant_json(line.at)}  {level}{indented}\n"
