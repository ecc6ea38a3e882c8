"""The board of an institution: its quarters, and for each whether it is due, received, read, signed and published.

Belongs here: combining the ledger, the inbox, signatures and releases. Does not belong here: determining the state of a delivery
(`harmonia.status`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from harmonia import signing
from harmonia.signing import SignatureState
from harmonia.status import list_delivery_states
from portal.institution.models import Submission
from portal.services import registry, workplace
from sources import completeness_states, contract
from sources.periods import first_day, last_day, periods_between
from warehouse.releases.folder import release_names as names
from warehouse.releases.reading import open_release

STEPS = ("due", "received", "read", "signed", "published")
_READ = (completeness_states.COMPLETE, completeness_states.PARTIAL)


@dataclass(frozen=True)
class Version:
    """One version of a delivery. Its state is the one that `harmonia.status` determines."""

    name: str
    state: str
    counts: bool  # false if a later version replaced it
    submission: Submission | None


@dataclass(frozen=True)
class Quarter:
    """A quarter of an institution, with its state and the versions of its delivery."""

    institution: str
    period: str
    state: str
    due: date
    versions: tuple[Version, ...]
    signed: SignatureState
    published: str | None  # the newest release, if it has data of this delivery

    @property
    def late(self) -> bool:
        """Whether the quarter was due and nothing came."""
        return not self.versions and self.due < datetime.now(UTC).date()

    @property
    def steps_done(self) -> tuple[str, ...]:
        """The steps of `STEPS` that are done. They are independent of each other: a quarter can be published and not signed."""
        facts = {
            "due": True,
            "received": bool(self.versions),
            "read": any(one.state in _READ for one in self.versions),
            "signed": self.signed.state == completeness_states.SIGNED,
            "published": self.published is not None,
        }
        return tuple(step for step in STEPS if facts[step])


def list_quarters(institution: str | None = None) -> list[Quarter]:
    """List the quarters of one institution, or of all institutions, newest first. The list ends with the last quarter that is over, even if
    nobody has delivered it yet.

    The deliveries of the demonstration are of past years; there the list ends with the last quarter that anybody delivered.
    """
    current_workplace = workplace()
    inbox = current_workplace.inbox if current_workplace.inbox.is_dir() else None
    delivery_states = list_delivery_states(registry(), inbox, until=None if settings.DEMO else timezone.localdate())
    signatures = signing.read_signature_states(registry(), institution)
    submissions = {(one.institution, one.delivery): one for one in Submission.objects.filter(placed=True)}
    releases = find_newest_releases_by_quarter()
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
            signatures.get((owner, period), SignatureState(completeness_states.UNSIGNED)),
            releases.get((owner, period)),
        )
        for (owner, period), versions in sorted(rows.items(), key=lambda item: (item[0][1], item[0][0]), reverse=True)
    ]


def list_periods_to_deliver(institution: str) -> list[str]:
    """List the periods for which an institution may deliver, newest first. All of them have ended. The first one is the first that anybody
    delivered, or the one five years ago if that is earlier."""
    today, cadence = timezone.localdate(), contract.load(institution).cadence
    listed = [quarter.period for quarter in list_quarters(institution)]
    begin = min([date(today.year - 5, 1, 1), *map(first_day, listed)])
    return sorted(
        (period for period in {*listed, *periods_between(begin, today, cadence)} if last_day(period) < today), key=last_day, reverse=True
    )


def find_newest_releases_by_quarter() -> Mapping[tuple[str, str], str]:
    """Return the name of the newest release, for each institution and period of which this release has data."""
    folder = workplace().home.releases
    return _read_newest_releases_by_quarter(str(folder), tuple(names(folder)) if folder.is_dir() else ())


@lru_cache(maxsize=4)
def _read_newest_releases_by_quarter(_folder: str, releases: tuple[str, ...]) -> Mapping[tuple[str, str], str]:
    if not releases:
        return {}
    coverage = open_release(workplace().home.releases, releases[-1]).table("coverage")
    read = coverage[coverage["state"].isin(_READ)]
    return dict.fromkeys(zip(read["institution"], read["period"], strict=True), releases[-1])
