"""The review desk of the newest published run. Each process of the portal has one desk.

Belongs here: opening the desk again after a run, and loading previews while the steward reads the queue. Does not belong here: what the
desk shows (`harmonia.review.desk`).
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock, Thread

from harmonia.explain.linkage import LinkageWeights
from harmonia.review.desk import ReviewDesk
from harmonia.review.published import find_last_published_run
from portal.services import registry, workplace

_lock = Lock()
_open: list[ReviewDesk] = []


def current_desk() -> ReviewDesk:
    """Return the desk of the newest run. Raises `HarmoniaError` if nothing was published yet."""
    newest_run = find_last_published_run(workplace().home, registry())
    with _lock:
        if not _open or (_open[0].published_run.run, _open[0].published_run.home.root) != (newest_run.run, newest_run.home.root):
            _open[:] = [ReviewDesk(newest_run, registry())]
            Thread(target=_load_previews, args=(_open[0],), daemon=True, name="previews").start()
        return _open[0]


def _load_previews(desk: ReviewDesk) -> None:
    """Load what previews and the pages of pairs need. If this fails, the page that needs it reports the failure."""
    try:
        load_linkage_weights(desk)
        desk.load_previews()
    except Exception:  # noqa: BLE001 - reported by the page, with a log
        return


@lru_cache(maxsize=1)
def load_linkage_weights(desk: ReviewDesk) -> LinkageWeights:
    """Return the match weights of pairs of persons, field by field."""
    return LinkageWeights(desk.canonical, desk.published_run.read_lake_table("links", "cases"), desk.decisions)
