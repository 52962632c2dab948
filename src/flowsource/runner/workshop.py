"""What a runner serves, and what it works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flowsource.deployments import Deployment
from flowsource.retention import Keeping
from flowsource.revisions import Revision
from flowsource.runner.output.terminal import Terminal
from flowsource.runner.processes.starter import Starter
from flowsource.runner.spool import Spool
from flowsource.settings import LogLimits
from flowsource.snapshots.cache import SnapshotCache
from flowsource.sources.base import Source
from flowsource.store.protocol import Store
from flowsource.store.values import RunnerInfo
from flowsource.watch.latest import Latest


@dataclass(slots=True, kw_only=True)
class Served:
    """A deployment as its runner carries it. Runs start in `directory`, by default at the top of their snapshot.

    `seen_at` is when its source was asked for `latest`. `loaded` are the revisions that were loaded here, or have the
    files of one that was: no other is executed.
    """

    deployment: Deployment
    source: Source
    latest: Latest
    seen_at: datetime
    directory: Path | None = None
    loaded: set[Revision] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a runner works with. `scratch` holds a directory for each run, `signs` what shows who lives on this host.

    `log_limits` says how much of what a run writes is kept, and `keeping` for how long; `spool` keeps it while the
    store is away. `info` is what the store is told of this process.
    """

    store: Store
    cache: SnapshotCache
    server: Starter
    terminal: Terminal
    scratch: Path
    signs: Path
    log_limits: LogLimits = field(default_factory=LogLimits)
    keeping: Keeping = field(default_factory=Keeping)
    spool: Spool | None = None
    info: RunnerInfo | None = None
