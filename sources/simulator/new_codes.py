"""Code lists that an institution replaces in the middle of a year. Deliveries for periods that end after the change have the new codes.

Belongs here: the former and the new codes, the day of the change, and changing the records. Does not belong here: the contract that knows
the new lists (`write_domain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sources.periods import last_day
from sources.simulator.deliveries import Delivery
from sources.simulator.settings import Settings

NEW_CODES: Mapping[str, Mapping[tuple[str, str], Mapping[str, str]]] = {
    "police": {
        ("rastet", "Statusi"): {"Nën hetim": "HETIM", "Dërguar në prokurori": "PROK", "I mbyllur": "MBYLL", "Anuluar": "ANUL"},
        ("personat", "Roli"): {"I dyshuar": "DYSH", "Viktimë": "VIKT", "Dëshmitar": "DESHM"},
    },
    "prosecution": {("pala", "roli"): {"D": "P", "V": "D"}},  # `D` means the defendant before, and the injured party after the change
}
"""The new code for each former code, by institution, table and column."""


def choose_day_of_change(settings: Settings) -> date:
    """Return the day from which the new codes apply. It is in the middle of a year and of a quarter."""
    return date(settings.start + settings.years // 2, 5, 15)


def replace_codes(settings: Settings, deliveries: list[Delivery]) -> None:
    """Put the new codes into the records of the deliveries, in place."""
    done: set[int] = set()  # records already changed, since versions of a period share records
    for delivery in deliveries:
        lists = NEW_CODES.get(delivery.institution, {})
        if not lists or last_day(delivery.period) < choose_day_of_change(settings):
            continue
        delivery.faults.add("new_codes")
        for record in delivery.records:
            for cells in (record.cells, *(person.cells for person in record.persons)):
                if id(cells) not in done:
                    done.add(id(cells))
                    cells |= {name: codes.get(cells[name], cells[name]) for (_, name), codes in lists.items() if name in cells}
