"""What is done to runs in whatever order is the same in PostgreSQL as in a file."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from flowsource.store.database import Database
from flowsource.store.postgres.database import PostgresDatabase
from tests.store.test_life import LifeMachine
from tests.store.test_states import RunMachine
from tests.support.postgres import emptied


def test_a_run_moves_as_the_table_says(postgres_address: str) -> None:
    class RunMachineInPostgres(RunMachine):
        def open(self) -> Database:
            return PostgresDatabase(emptied(postgres_address))

    few = settings(max_examples=15, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(RunMachineInPostgres, settings=few)


def test_the_lives_of_runs_are_what_was_done_to_them(postgres_address: str) -> None:
    class LifeMachineInPostgres(LifeMachine):
        def open(self) -> Database:
            return PostgresDatabase(emptied(postgres_address))

    few = settings(max_examples=15, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(LifeMachineInPostgres, settings=few)
