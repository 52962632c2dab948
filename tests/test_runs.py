"""A run's states, read as one table."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from flowsource.errors import InvalidTransition
from flowsource.runs import TRANSITIONS, Run, RunState, transition

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def a_run(state: RunState) -> Run:
    return Run(
        id=UUID(int=1),
        name="brave-otter",
        deployment_id=UUID(int=2),
        deployment="etl/nightly",
        state=state,
        scheduled_at=AT,
        due_at=AT,
        created_at=AT,
        changed_at=AT,
    )


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("to", RunState)
def test_only_the_table_leads_from_state_to_state(state: RunState, to: RunState) -> None:
    if to in TRANSITIONS[state]:
        assert transition(a_run(state), to, at=LATER).state is to
    else:
        with pytest.raises(InvalidTransition, match=f"{state} cannot become {to}"):
            transition(a_run(state), to, at=LATER)


def test_every_state_can_be_reached_and_every_way_ends() -> None:
    reached, edge = {RunState.SCHEDULED}, [RunState.SCHEDULED]
    while edge:
        new = TRANSITIONS[edge.pop()] - reached
        reached |= new
        edge += new
    assert reached == set(RunState)
    assert {state for state in RunState if state.is_final} == {
        RunState.COMPLETED,
        RunState.FAILED,
        RunState.TIMED_OUT,
        RunState.CRASHED,
        RunState.CANCELLED,
        RunState.SKIPPED,
    }


def test_each_phase_notes_its_instant() -> None:
    claimed = transition(a_run(RunState.SCHEDULED), RunState.CLAIMED, at=LATER)
    running = transition(claimed, RunState.RUNNING, at=LATER)
    ended = transition(running, RunState.COMPLETED, at=LATER)
    assert (ended.claimed_at, ended.started_at, ended.ended_at) == (LATER, LATER, LATER)
    assert running.ended_at is None
