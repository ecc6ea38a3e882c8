"""The desk of the newest published run, one a process.

Belongs here: opening it again after a run, preparing previews while the steward reads the queue. Does not belong here: what is on it
(`harmonia.review.desk`).
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock, Thread

from harmonia.explain.linkage import LinkageWeights
from harmonia.review.desk import Desk
from harmonia.review.published import last_published_run
from portal.services import registry, workplace

_lock = Lock()
_open: list[Desk] = []


def desk() -> Desk:
    """The desk of the newest run. Raises `HarmoniaError` where nothing was published yet."""
    found = last_published_run(workplace().home, registry())
    with _lock:
        if not _open or (_open[0].found.run, _open[0].found.home.root) != (found.run, found.home.root):
            _open[:] = [Desk(found, registry())]
            Thread(target=_prepare, args=(_open[0],), daemon=True, name="previews").start()
        return _open[0]


def _prepare(one: Desk) -> None:
    """Load what previews and pages of pairs need; a failure shows itself on the page that needs it."""
    try:
        weights(one)
        one.consequences()
    except Exception:  # noqa: BLE001 - reported by the page, with a log
        return


@lru_cache(maxsize=1)
def weights(one: Desk) -> LinkageWeights:
    """The weights of pairs of persons, field by field."""
    return LinkageWeights(one.canonical, one.found.table("links", "cases"), one.decisions)
