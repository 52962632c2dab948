"""Whether what is followed went on from where it was, or was rewritten: looked at afterwards, and told."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from flowsource.revisions import Revision
from flowsource.source_status import Rewrite
from flowsource.sources.base import Source
from flowsource.sources.history import HasHistory
from flowsource.watch.watchdog import Silence, Watchdog

logger = logging.getLogger(__name__)

_PATIENCE = timedelta(seconds=60)


async def look_back(source: Source, new: Revision, old: Revision, watchdog: Watchdog) -> Rewrite | None:
    """How what `source` follows was rewritten between `old` and `new`, once that was logged; None when it was not.

    What cannot be told is no rewrite, and nothing that goes wrong here is anybody else's matter.
    """
    if not isinstance(source, HasHistory):
        return None
    try:
        descends = await watchdog.wait_for(
            lambda: source.descends(new, old), what=f"the history of {source.label}", silence=Silence(), limit=_PATIENCE
        )
    except Exception as error:
        logger.info("whether the history of %s was rewritten is not known: %s", source.label, error)
        return None
    if descends is not False:
        return None
    what = "the tag was moved" if source.selector.startswith("tag ") else "history was rewritten"
    logger.warning(
        "%s: %s; %s, which was there before, is not part of %s",
        *(source.label, what, old.short, new.short),
        extra={"event": "source.rewritten", "source": source.key, "before": old.id, "after": new.id},
    )
    return Rewrite(what=what, before=old.id, after=new.id, at=datetime.now(UTC))
