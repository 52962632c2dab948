"""What can go wrong, as one tree; each message says what happened, where, and the next step.

FlowsourceError
├── InvalidInput               what a person gave cannot be used
│   ├── InvalidParameters
│   ├── InvalidSchedule
│   ├── InvalidDeployment
│   ├── InvalidQuery
│   └── InvalidSettings
├── SourceError                a place that code comes from
│   ├── SourceUnavailable      a later try may succeed
│   │   └── SnapshotGone
│   └── SourceInvalid          only a person can help
│       ├── SourceMissing
│       ├── AuthenticationFailed
│       ├── RefNotFound
│       ├── RevisionGone
│       ├── HistoryRewritten
│       ├── UnsafeTree
│       └── UnverifiedRevision
├── EntrypointError            a flow inside a snapshot
│   ├── EntrypointMalformed
│   ├── EntrypointFileMissing
│   ├── EntrypointNotFound
│   ├── EntrypointLoadFailed
│   └── RevisionRejected
├── NotFound                   a record the store does not hold
│   ├── DeploymentNotFound
│   ├── RunNotFound
│   ├── ScheduleNotFound
│   ├── SourceNotFound
│   └── TriggerNotFound
├── InvalidTransition          a run cannot go from this state to that one
├── Superseded                 somebody else owns the run now
├── Outdated                   a decision rests on what is no longer so
├── InConflict                 what a person asks for does not go with how things stand
├── NotAllowed                 the token is good, and not for this
└── StoreError                 the memory itself
    ├── StoreUnavailable
    │   └── NotAuthenticated   the server takes no such token
    └── StoreVersionMismatch
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FlowsourceError(Exception):
    """Base of every error that flowsource raises on purpose."""


class InvalidInput(FlowsourceError, ValueError):
    """Something a person gave cannot be used; the message names the field."""


class InvalidParameters(InvalidInput):
    """Parameters do not fit the signature of a flow.

    `problems` maps the name of each parameter (with its path inside, as in `items.0.price`) to what is wrong with it.
    """

    def __init__(self, flow: str, problems: dict[str, str]) -> None:
        self.flow, self.problems = flow, problems
        listed = "; ".join(f"{name}: {why}" for name, why in problems.items())
        super().__init__(f"parameters do not fit flow {flow!r}: {listed}. Correct them and ask again.")


class InvalidSchedule(InvalidInput):
    """A schedule cannot be understood, or more than one was given where one is allowed."""


class InvalidDeployment(InvalidInput):
    """A deployment cannot be registered as declared."""


@dataclass(frozen=True, slots=True)
class QueryProblem:
    """What is wrong with one word of a query, which stands at `place` (from 1)."""

    place: int
    word: str
    message: str

    def __str__(self) -> str:
        return f"{self.word!r} (at {self.place}): {self.message}"


class InvalidQuery(InvalidInput):
    """A query cannot be understood; `problems` are what is wrong with each word of it."""

    def __init__(self, problems: Sequence[QueryProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"query: {'; '.join(map(str, problems))}.")


class InvalidSettings(InvalidInput):
    """An environment variable or setting has a value that cannot be used."""


class SourceError(FlowsourceError):
    """A source did not give what it was asked for."""


class SourceUnavailable(SourceError):
    """The source did not answer as it should; a later try may succeed.

    `retry_after` is the number of seconds the source asked us to wait, when it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SnapshotGone(SourceUnavailable):
    """A snapshot was removed from the cache after it was found there; it can be fetched again."""


class SourceInvalid(SourceError):
    """The source cannot be used until a person changes something."""


class SourceMissing(SourceInvalid):
    """There is nothing at the address of the source."""


class AuthenticationFailed(SourceInvalid):
    """The source refused the credentials, or asks for some."""


class RefNotFound(SourceInvalid):
    """The repository has no such branch, tag or commit; `near` lists names that look alike."""

    def __init__(self, wanted: str, repository: str, near: Sequence[str] = ()) -> None:
        self.wanted, self.repository, self.near = wanted, repository, tuple(near)
        hint = f"; names near it: {', '.join(near)}" if near else ""
        super().__init__(f"{repository} has no {wanted}{hint}. Correct the name, or push the ref.")


class RevisionGone(SourceInvalid):
    """A revision that was there before can no longer be fetched."""


class HistoryRewritten(SourceInvalid):
    """What a source follows leads to a revision that does not come after the one that was taken, and it holds that."""


class UnsafeTree(SourceInvalid):
    """A revision names files that must not be written; nothing of it was published."""


class UnverifiedRevision(SourceInvalid):
    """A revision does not carry the signature that its source requires; nothing of it was published."""

    def __init__(self, revision: str, *, required: str, found: str) -> None:
        self.revision, self.required, self.found = revision, required, found
        super().__init__(
            f"commit {revision:.12} is not served: {required} is required by verify=, and this is what there is: "
            f"{found}. Push it signed by one of those that count, or add its signer to them."
        )


class EntrypointError(FlowsourceError):
    """An entrypoint does not lead to a flow."""


class EntrypointMalformed(EntrypointError, ValueError):
    """The text is not of a form that names an entrypoint."""


class EntrypointFileMissing(EntrypointError):
    """The source has no such file or module."""


class EntrypointNotFound(EntrypointError):
    """The file is there and loads, but has nothing of that name that can be called; `known` lists what it has."""

    def __init__(self, entrypoint: str, where: str, known: Sequence[str]) -> None:
        self.entrypoint, self.where, self.known = entrypoint, where, tuple(known)
        super().__init__(
            f"no flow {entrypoint!r} in {where}; flows there: {', '.join(known) or 'none'}. "
            "Correct the entrypoint, or add the flow."
        )


class EntrypointLoadFailed(EntrypointError):
    """The file is there but fails while it is imported.

    `details` is the traceback as text, beginning with the first frame of the user's own code.
    """

    def __init__(self, entrypoint: str, reason: str, details: str) -> None:
        self.entrypoint, self.reason, self.details = entrypoint, reason, details
        super().__init__(
            f"{entrypoint!r} fails while it is imported: {reason}. Mend the file; its traceback:\n{details}"
        )


class RevisionRejected(EntrypointError):
    """A revision cannot serve, and there is none that served before it."""


class NotFound(FlowsourceError, LookupError):
    """The store holds no such record."""


class DeploymentNotFound(NotFound):
    """No deployment of that name is registered; `near` lists names that look alike."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        self.name, self.near = name, tuple(near)
        hint = f"; did you mean {', '.join(near)}?" if near else "."
        super().__init__(f"no deployment {name!r}{hint} `flowsource deployments ls` lists those that are registered.")


class RunNotFound(NotFound):
    """No run has that id or name."""

    def __init__(self, run: str, why: str = "no run") -> None:
        self.run = run
        super().__init__(f"{why} {run!r}. `flowsource runs ls` lists the latest.")


class ScheduleNotFound(NotFound):
    """A deployment has no schedule of that slug or key; `known` are those it has."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name, self.known = name, tuple(known)
        there = f"there are: {', '.join(known)}. Give one of these" if known else "`flowsource schedules ls` lists them"
        super().__init__(f"no schedule {name!r}; {there}.")


class SourceNotFound(NotFound):
    """No source that was ever served has that name; `known` are the labels of those there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        there = f"there are: {', '.join(known)}" if known else "nobody has served any yet"
        super().__init__(f"no source {name!r}; {there}. Give a label, a URL, a part of one, or a deployment.")


class TriggerNotFound(NotFound):
    """A deployment has no trigger of that name or key; `known` are those it has."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name, self.known = name, tuple(known)
        there = f"there are: {', '.join(known)}. Give one of these" if known else "`flowsource triggers ls` lists them"
        super().__init__(f"no trigger {name!r}; {there}.")


class InvalidTransition(FlowsourceError):
    """A run cannot go from the state it is in to the one that was asked for."""

    def __init__(self, current: str, wanted: str) -> None:
        self.current, self.wanted = current, wanted
        super().__init__(f"a run that is {current} cannot become {wanted}")


class Superseded(FlowsourceError):
    """A write carried the epoch of an older claim: another claim owns the run now."""


class Outdated(FlowsourceError):
    """A decision about a deployment rests on what is no longer so: look again."""


class InConflict(FlowsourceError):
    """What a person asks for does not go with how things stand."""


class NotAllowed(FlowsourceError):
    """Whoever asks is known, and may not do this."""


class StoreError(FlowsourceError):
    """The store did not do what it was asked for."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written; a later try may succeed."""


class NotAuthenticated(StoreUnavailable):
    """The server wants a token, or does not take the one it was given; once that is mended a later try succeeds."""


class StoreVersionMismatch(StoreError):
    """The database was written by another version of flowsource, or the server is one."""
