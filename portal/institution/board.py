"""The quarters of an institution as a board: what was due, came, was read, is signed, is published.

Belongs here: putting together what the ledger, the inbox, signatures and releases say. Does not belong here: the state of a delivery
(`harmonia.status`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from django.utils import timezone

from harmonia import signing
from harmonia.signing import Signed
from harmonia.status import status
from portal.institution.models import Submission
from portal.services import registry, workplace
from sources import contract, states
from sources.periods import MONTHS, containing, following, last_day, previous
from warehouse.releases.folder import release_names as names
from warehouse.releases.reading import open_release

STEPS = ("due", "received", "read", "signed", "published")


@dataclass(frozen=True)
class Version:
    """One version of a delivery; state as `harmonia.status` has it."""

    name: str
    state: str
    counts: bool  # whether it counts, or a later version replaced it
    submission: Submission | None


@dataclass(frozen=True)
class Quarter:
    """A quarter of an institution. state: of the quarter; late: due and not there."""

    institution: str
    period: str
    state: str
    due: date
    versions: tuple[Version, ...]
    signed: Signed
    published: str | None  # the newest release that has it

    @property
    def late(self) -> bool:
        """Whether it was due and did not come."""
        return not self.versions and self.due < datetime.now(UTC).date()

    @property
    def step(self) -> int:
        """How far it is: index into `STEPS`."""
        if self.published:
            return 4
        if self.signed.state == states.SIGNED:
            return 3
        if any(one.state in ("complete", "partial") for one in self.versions):
            return 2
        return 1 if self.versions else 0


def quarters(institution: str | None = None) -> list[Quarter]:
    """The quarters of an institution (or of all), newest first; also the one that ended last, though nobody delivered it yet."""
    place = workplace()
    found = status(registry(), place.inbox if place.inbox.is_dir() else None)
    signed = signing.states(registry(), institution)
    submissions = {(one.institution, one.delivery): one for one in Submission.objects.filter(placed=True)}
    released = published()
    rows: dict[tuple[str, str], list[tuple[str | None, str, str, str]]] = {}
    columns = (found[name] for name in ("institution", "period", "delivery", "state", "period_state", "detail"))
    for whose, period, delivery, state, period_state, detail in zip(*columns, strict=True):
        if institution in (None, whose):
            named = delivery if isinstance(delivery, str) else None
            rows.setdefault((whose, period), []).append((named, state, period_state, detail))
    return [
        Quarter(
            whose,
            period,
            versions[0][2],
            last_day(period) + timedelta(days=contract.load(whose).due_days),
            tuple(
                Version(name, state, "replaced by" not in detail, submissions.get((whose, name)))
                for name, state, _, detail in versions
                if name is not None
            ),
            signed.get((whose, period), Signed(states.UNSIGNED)),
            released.get(period),
        )
        for (whose, period), versions in sorted(rows.items(), key=lambda item: (item[0][1], item[0][0]), reverse=True)
    ]


def periods(institution: str) -> list[str]:
    """The periods that may be delivered, newest first: those that anybody delivered, the next one, and the last five years' that ended."""
    cadence = contract.load(institution).cadence
    ended = [previous(containing(timezone.localdate(), cadence))]
    for _ in range(5 * 12 // MONTHS[cadence] - 1):
        ended.append(previous(ended[-1]))
    known = [one.period for one in quarters(institution)]
    upcoming = [following(known[0])] if known else []
    return sorted(
        {period for period in (*ended, *known, *upcoming) if last_day(period) <= timezone.localdate()}, key=last_day, reverse=True
    )


def published() -> Mapping[str, str]:
    """Quarter -> the newest release that has it."""
    where = workplace().home.releases
    return _published(str(where), tuple(names(where)) if where.is_dir() else ())


@lru_cache(maxsize=4)
def _published(where: str, releases: tuple[str, ...]) -> Mapping[str, str]:
    if not releases:
        return {}
    coverage = open_release(workplace().home.releases, releases[-1]).table("coverage")
    return dict.fromkeys(coverage["period"].unique(), releases[-1])
