"""The twins of pages for programs: each page also as plain text (`.txt`) or as JSON (`.json`)."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from flowsource.cli.json_shapes import deployment_json, event_json, life_json, run_json, runner_json, token_json
from flowsource.cli.life import life_of, took
from flowsource.cli.output import Cell, state_cell
from flowsource.cli.planned import next_instants
from flowsource.cli.run_page import run_fields
from flowsource.cli.source_names import follows
from flowsource.cli.source_words import source_fields, source_json
from flowsource.cli.standing import standing_fields, state_explained, state_of
from flowsource.cli.times import both, relative
from flowsource.cli.words import parameters_text, revision_fields
from flowsource.errors import DeploymentNotFound
from flowsource.event_names import NAME, our_event
from flowsource.queries.deployments import parse_deployments
from flowsource.queries.runs import parse_runs
from flowsource.server.access import TheStore
from flowsource.server.api.answers import answer, found
from flowsource.server.pages import texts
from flowsource.server.pages.deployment import show_deployment_page
from flowsource.server.pages.entry import Visitor
from flowsource.server.pages.tokens import Admin, ordered, token_mark
from flowsource.text import revision_text

router = APIRouter(include_in_schema=False)

Ending = Literal["txt", "json"]
_AT_ONCE = 100


@router.get("/overview.{ending}")
async def show_overview_plainly(
    store: TheStore, _: Visitor, ending: Ending, query: str = "", cursor: str | None = None
) -> Response:
    """Deployments."""
    now = store.now()
    part = await store.find_deployments(parse_deployments(query, now=now), cursor=cursor, limit=_AT_ONCE, now=now)
    instants = await next_instants(store, part.items, now)
    if ending == "json":
        return found(part, lambda one: deployment_json(one, instants.get(one.id)))
    rows: list[list[Cell | str]] = [
        [
            state_of(one),
            one.full_name,
            relative(instants[one.id], now=now) if one.id in instants else "-",
            revision_text(one.active),
        ]
        for one in part.items
    ]
    return texts.text_of([texts.table(("STATE", "DEPLOYMENT", "NEXT", "REVISION"), rows)])


@router.get("/runs.{ending}")
async def show_runs_plainly(
    store: TheStore, _: Visitor, ending: Ending, query: str = "", cursor: str | None = None
) -> Response:
    """Runs of a query."""
    now = store.now()
    part = await store.find_runs(parse_runs(query, now=now), cursor=cursor, limit=_AT_ONCE)
    if ending == "json":
        return found(part, run_json)
    rows: list[list[Cell | str]] = [
        [
            state_cell(run.state),
            run.name,
            run.deployment,
            run.revision.short if run.revision else "-",
            relative(run.started_at or run.ended_at or run.scheduled_at, now=now),
            took(run.started_at, run.ended_at, now) or "-",
            str(run.id),
        ]
        for run in part.items
    ]
    return texts.text_of([texts.table(("STATE", "RUN", "DEPLOYMENT", "REVISION", "WHEN", "TOOK", "ID"), rows)])


@router.get("/runs/{run_id}.{ending}")
async def show_run_plainly(store: TheStore, _: Visitor, run_id: UUID, ending: Ending) -> Response:
    """A run with its attempts, its steps and the runs below it."""
    life = await life_of(store, await store.run(str(run_id)))
    if ending == "json":
        return answer(life_json(life))
    said = run_fields(life, store.now(), shows_all_steps=True)
    return texts.text_of([texts.fields(f"{life.run.name}  {life.run.id}", said)])


@router.get("/deployments/{flow}/{name}.{ending}")
async def show_deployment_plainly(
    request: Request, store: TheStore, token: Visitor, flow: str, name: str, ending: Ending
) -> Response:
    """A deployment."""
    now = store.now()
    try:
        of = await store.deployment(f"{flow}/{name}")
    except DeploymentNotFound:
        # There may be one whose own name ends so.
        return await show_deployment_page(request, store, token, flow, f"{name}.{ending}")
    next_at = (await next_instants(store, [of], now)).get(of.id)
    if ending == "json":
        return answer(deployment_json(of, next_at))
    said: list[tuple[str, Cell | str]] = [
        ("state", state_explained(of)),
        ("description", of.description or ""),
        ("next", both(next_at, now=now) if next_at else ""),
        ("schedules", "\n".join(one.schedule.describe() for one in await store.schedules([of.id]))),
        *revision_fields("revision", of.active, now),
        ("source", of.declared.source_label),
        ("entrypoint", of.declared.entrypoint),
        ("takes", parameters_text(of.facts.parameter_schema)),
        *standing_fields(of, now),
    ]
    return texts.text_of([texts.fields(of.full_name, [(key, value) for key, value in said if value != ""])])


@router.get("/sources.{ending}")
async def show_sources_plainly(store: TheStore, _: Visitor, ending: Ending) -> Response:
    """Sources, each with the stages of its last look."""
    now = store.now()
    deployments = await store.deployments()
    known = [
        (one, [each for each in deployments if follows(each, one)])
        for one in sorted(await store.sources(now=now), key=lambda one: one.report.status.label)
    ]
    if ending == "json":
        return answer([source_json(*one) for one in known])
    return texts.text_of(texts.fields(one.report.status.label, source_fields(one, of, now)) for one, of in known)


@router.get("/runners.{ending}")
async def show_runners_plainly(store: TheStore, _: Visitor, ending: Ending) -> Response:
    """Runners."""
    now = store.now()
    runners = await store.runners()
    if ending == "json":
        return answer(list(map(runner_json, runners)))
    rows = [
        [
            "alive" if one.lease_until >= now else "out of sight",
            one.info.host if one.info else "-",
            str(one.info.pid) if one.info else "-",
            str(one.id),
            ", ".join(one.deployments),
        ]
        for one in runners
    ]
    return texts.text_of([texts.table(("STATE", "HOST", "PROCESS", "RUNNER", "SERVES"), rows)])


@router.get("/events.{ending}")
async def show_events_plainly(
    store: TheStore, _: Visitor, ending: Ending, names: str = "", before: int | None = None
) -> Response:
    """Events of these names, with spaces between them, the newest first."""
    wanted = [our_event(name) for name in names.split()]
    events = await store.newest_events(names=wanted, before=before, limit=_AT_ONCE)
    if ending == "json":
        return answer(list(map(event_json, events)))
    rows = [[str(one.seq), one.at.isoformat(), one.name, one.resource.get(NAME, "")] for one in events]
    return texts.text_of([texts.table(("NUMBER", "WHEN", "WHAT", "TO"), rows)])


@router.get("/tokens.{ending}")
async def show_tokens_plainly(store: TheStore, _: Admin, ending: Ending) -> Response:
    """Tokens, of whose secrets nobody knows."""
    now = store.now()
    known = ordered(await store.tokens(), now)
    if ending == "json":
        return answer(list(map(token_json, known)))
    rows = [
        [
            one.name,
            ", ".join(one.scopes),
            token_mark(one, now).word,
            one.created_at.isoformat(),
            one.expires_at.isoformat() if one.expires_at else "never",
            one.used_at.isoformat() if one.used_at else "never",
        ]
        for one in known
    ]
    return texts.text_of([texts.table(("NAME", "SCOPES", "STATE", "MADE", "EXPIRES", "USED"), rows)])
