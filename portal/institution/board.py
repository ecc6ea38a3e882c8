"""The quarters of an institution on a board: due, received, read, signed, published.

Belongs here: combining the ledger, the inbox, signatures and releases. Does not belong here: the state of a delivery
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
from harmonia.status import list_delivery_states
from portal.institution.models import Submission
from portal.services import registry, workplace
from sources import completeness_states, contract
from sources.periods import MONTHS, containing, following, last_day, previous
from warehouse.releases.folder import release_names as names
from warehouse.releases.reading import open_release

STEPS = ("due", "received", "read", "signed", "published")


@dataclass(frozen=True)
class Version:
    """One version of a delivery; its state is that of `harmonia.status`."""

    name: str
    state: str
    counts: bool  # whether it counts, or a later version replaced it
    submission: Submission | None


@dataclass(frozen=True)
class Quarter:
    """A quarter of an institution, with its state and the versions of its delivery."""

    institution: str
    period: str
    state: str
    due: date
    versions: tuple[Version, ...]
    signed: Signed
    published: str | None  # the newest release that has it

    @property
    def late(self) -> bool:
        """Whether the quarter was due and nothing came."""
        return not self.versions and self.due < datetime.now(UTC).date()

    @property
    def step(self) -> int:
        """The last step that the quarter reached, as an index into `STEPS`."""
        if self.published:
            return 4
        if self.signed.state == completeness_states.SIGNED:
            return 3
        if any(one.state in ("complete", "partial") for one in self.versions):
            return 2
        return 1 if self.versions else 0


def list_quarters(institution: str | None = None) -> list[Quarter]:
    """List the quarters of one institution, or of all, newest first. The quarter that ended last is included even if nobody delivered it
    yet."""
    current_workplace = workplace()
    delivery_states = list_delivery_states(registry(), current_workplace.inbox if current_workplace.inbox.is_dir() else None)
    signatures = signing.read_states(registry(), institution)
    submissions = {(one.institution, one.delivery): one for one in Submission.objects.filter(placed=True)}
    releases = releases_by_quarter()
    rows: dict[tuple[str, str], list[tuple[str | None, str, str, str]]] = {}
    columns = (delivery_states[name] for name in ("institution", "period", "delivery", "state", "period_state", "detail"))
    for owner, period, delivery, state, period_state, detail in zip(*columns, strict=True):
        if institution in (None, owner):
            named = delivery if isinstance(delivery, str) else None
            rows.setdefault((owner, period), []).append((named, state, period_state, detail))
    return [
        Quarter(
            owner,
            period,
            versions[0][2],
            last_day(period) + timedelta(days=contract.load(owner).due_days),
            tuple(
                Version(name, state, "replaced by" not in detail, submissions.get((owner, name)))
                for name, state, _, detail in versions
                if name is not None
            ),
            signatures.get((owner, period), Signed(completeness_states.UNSIGNED)),
            releases.get(period),
        )
        for (owner, period), versions in sorted(rows.items(), key=lambda item: (item[0][1], item[0][0]), reverse=True)
    ]


def periods_to_deliver(institution: str) -> list[str]:
    """List the periods for which an institution may deliver, newest first: those delivered before, the next one, and those of five
    years."""
    cadence = contract.load(institution).cadence
    ended = [previous(containing(timezone.localdate(), cadence))]
    for _ in range(5 * 12 // MONTHS[cadence] - 1):
        ended.append(previous(ended[-1]))
    delivered = [quarter.period for quarter in list_quarters(institution)]
    upcoming = [following(delivered[0])] if delivered else []
    return sorted(
        {period for period in (*ended, *delivered, *upcoming) if last_day(period) <= timezone.localdate()}, key=last_day, reverse=True
    )


def releases_by_quarter() -> Mapping[str, str]:
    """Return for each published quarter the newest release."""
    folder = workplace().home.releases
    return _releases_by_quarter(str(folder), tuple(names(folder)) if folder.is_dir() else ())


@lru_cache(maxsize=4)
def _releases_by_quarter(_folder: str, releases: tuple[str, ...]) -> Mapping[str, str]:
    if not releases:
        return {}
    coverage = open_release(workplace().home.releases, releases[-1]).table("coverage")
    return dict.fromkeys(coverage["period"].unique(), releases[-1])
