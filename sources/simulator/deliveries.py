"""The deliveries of a set before they are written: which records each of them contains, and when it arrived.

Belongs here: the content of the delivery of one institution for one period; making deliveries from the world. Does not belong here: what is
wrong in them (`defects.py`, `faults.py`), versions (`versions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Any

from sources.periods import Cadence, last_day, period_containing
from sources.simulator import register_records
from sources.simulator.model import Case, World
from sources.simulator.periods import list_simulated_periods
from sources.simulator.records import CaseRecord

INSTITUTIONS = ("police", "inspectorate", "prosecution", "courts", "corrections")


@dataclass(slots=True, eq=False)
class Delivery:
    """One version of the delivery of one institution for one period.

    - `read`: how much of it can be read: `full`, `part` (then no record is withdrawn because it is absent) or `none` (then it replaces no
      earlier version)
    - `faults`: names of the faults in its files (`faults.py`)
    - `missing`: whether it was never delivered
    - `twin`: the version that has the same bytes, if there is one
    """

    institution: str
    period: str
    records: list[CaseRecord]
    version: int = 1
    arrived: datetime = datetime(1, 1, 1)  # noqa: DTZ001 - the simulated office has no time zone
    note: str = ""
    read: str = "full"
    faults: set[str] = field(default_factory=set)
    missing: bool = False
    twin: Delivery | None = None
    crosswalk: list[tuple[str, int, int]] = field(default_factory=list)  # rows of the crosswalk: table, old id, new id
    last_year: list[CaseRecord] = field(default_factory=list)  # rows of the same period of the year before, repeated in the file

    @property
    def name(self) -> str:
        """The name of its folder: `2012-Q4`, `2012-Q4_v2`."""
        return self.period if self.version == 1 else f"{self.period}_v{self.version}"

    @property
    def exported(self) -> datetime:
        """When the institution exported the data: a few days after the end of the period, and later for a corrected version."""
        return datetime.combine(last_day(self.period) + timedelta(days=3 + 25 * (self.version - 1)), time(8, 30))


def _list_files_of_case(
    case: Case, cadence: Mapping[str, Cadence]
) -> Iterable[tuple[str, Any, Callable[[Any], list[date]], Callable[[Case, Any, date], CaseRecord]]]:
    """Yield each file on a case. Each comes with its institution, the function that lists the days on which the file changed, and the
    function that makes its record as of a day."""
    prosecution_record = partial(register_records.make_prosecution_record, cadence=cadence["prosecution"])
    for police in case.police:
        yield "police", police, register_records.list_police_change_days, register_records.make_police_record
    for inspectorate in case.inspectorate:
        yield "inspectorate", inspectorate, register_records.list_inspectorate_change_days, register_records.make_inspectorate_record
    for prosecution in case.prosecution:
        yield "prosecution", prosecution, register_records.list_prosecution_change_days, prosecution_record
    for court in case.courts:
        yield "courts", court, register_records.list_court_change_days, register_records.make_court_record
    for stay in case.stays:
        yield "corrections", stay, register_records.list_stay_change_days, register_records.make_stay_record


def build_deliveries(world: World, rng: Random, cadence: Mapping[str, Cadence]) -> list[Delivery]:
    """Return the first version of every institution's delivery for each period, sorted by the end of the period. A delivery contains the
    files that were opened or changed in its period (deliveries.md)."""
    held: dict[tuple[str, str], list[CaseRecord]] = {
        (name, period): [] for name in INSTITUTIONS for period in list_simulated_periods(world.start, world.years, cadence[name])
    }
    for case in world.cases:
        for institution, file, changes, state in _list_files_of_case(case, cadence):
            for period in sorted({period_containing(day, cadence[institution]) for day in changes(file)}):
                if (institution, period) in held:
                    held[institution, period].append(state(case, file, last_day(period)))
    deliveries = []
    for institution, period in sorted(held, key=lambda key: last_day(key[1])):
        delivery = Delivery(institution, period, sorted(held[institution, period], key=_build_register_sort_key))
        days = timedelta(days=rng.randrange(3, 12), hours=rng.randrange(8, 16), seconds=rng.randrange(3600))
        delivery.arrived = datetime.combine(last_day(period), time()) + timedelta(days=1) + days
        deliveries.append(delivery)
    return deliveries


def _build_register_sort_key(record: CaseRecord) -> tuple[Any, ...]:
    """Return the key by which the register of the institution sorts its records: a number, an id, or the day of receipt."""
    if record.institution == "corrections":
        return (record.true["registered"], record.key)
    if record.institution == "prosecution":
        return (int(record.key),)
    if record.institution == "courts":
        return (record.true["registered"], record.key)
    if record.institution == "inspectorate":
        return (record.key[-4:], record.key)
    return (record.key,)
