"""Makes values wrong, or merely written otherwise, at the rates of the samples; remembers them, so that a register keeps its errors.

A defect is decided once for a record and a field, and stands in every later state until the institution corrects it (some are) or
the true value changes. `defects.csv` names it where it was first delivered. Belongs here: the machinery. The rates and what each
defect does to a value: `value_defects.py`, `name_defects.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any

from sources.simulator.records import Cells
from sources.simulator.settings import Settings

CORRECTED = 0.08  # of the defects that a record had, per later delivery


@dataclass(slots=True)
class Defect:
    """One thing that is wrong in a delivery: a row of `defects.csv`; without `record_key`, a whole file."""

    institution: str
    delivery: str
    record_key: str
    kind: str
    field: str = ""
    true_value: str = ""
    delivered_value: str = ""
    note: str = ""


@dataclass(slots=True)
class Wrong:
    """What a defect puts in place of a value: the cell, and what that says read plainly."""

    kind: str
    value: Any
    said: Cells = field(default_factory=dict)
    note: str = ""


Maker = Callable[[Any], Wrong | None]
Choice = tuple[float, Maker]


@dataclass(slots=True)
class _Kept:
    true: Any
    wrong: Wrong | None


class Spoiler:
    """Applies defects to cells; `rng` and the memory of what was decided are its state."""

    def __init__(self, settings: Settings, stream: str = "defects") -> None:
        self.settings = settings
        self.rng = Random(f"{stream} {settings.seed} {settings.noise}")
        self.found: list[Defect] = []
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._new: set[tuple[str, str, str]] = set()

    def happens(self, rate: float) -> bool:
        """Whether something of a rate per hundred happens here, at this noise."""
        return self.rng.random() * 100 < rate * self.settings.factor

    def spoil(
        self, institution: str, delivery: str, key: str, cells: Cells, said: Cells, name: str, choices: list[Choice], label: str = ""
    ) -> None:
        """Decides on one cell: at most one of `choices` (rate per hundred, what it does). Empty cells have no defects of value."""
        value = cells[name]
        if value in (None, ""):
            return
        slot = (institution, key, label or name)
        kept = self._kept.get(slot)
        if kept is not None and kept.true == value:
            if kept.wrong is None:
                return
            if self.rng.random() < CORRECTED:
                self._kept[slot] = _Kept(value, None)
                return
        else:
            kept = _Kept(value, self._choose(value, choices))
            self._kept[slot] = kept
            if kept.wrong is not None:
                self.log(institution, delivery, key, kept.wrong.kind, label or name, value, kept.wrong.value, kept.wrong.note)
        if kept.wrong is not None:
            cells[name] = kept.wrong.value
            said.update(kept.wrong.said)

    def recall(self, institution: str, key: str, label: str, true: Any, decide: Callable[[Any], Wrong]) -> Any:
        """What was decided for several fields of a record at once; decides where nothing was yet. None where it was corrected."""
        slot = (institution, key, label)
        kept = self._kept.get(slot)
        if kept is None:
            kept = self._kept[slot] = _Kept(true, decide(true))
            self._new.add(slot)
        else:
            self._new.discard(slot)
            if kept.wrong is not None and kept.wrong.kind and self.rng.random() < CORRECTED * min(1.0, self.settings.factor):
                kept.wrong = None
        return kept.wrong.value if kept.wrong is not None else None

    def first_time(self, institution: str, key: str, label: str) -> bool:
        """Whether `recall` decided on this just now."""
        return (institution, key, label) in self._new

    def _choose(self, value: Any, choices: list[Choice]) -> Wrong | None:
        draw = self.rng.random() * 100
        for rate, make in choices:
            draw -= min(rate * self.settings.factor, 92.0)
            if draw < 0:
                return make(value)
        return None

    def log(
        self, institution: str, delivery: str, key: str, kind: str, name: str = "", true: Any = "", delivered: Any = "", note: str = ""
    ) -> None:
        """Notes a defect for `defects.csv`."""
        self.found.append(Defect(institution, delivery, key, kind, name, shown(true), shown(delivered), note))


def shown(value: Any) -> str:
    """A value as `defects.csv` shows it."""
    if isinstance(value, datetime | date):
        return value.strftime("%d.%m.%Y")
    return "" if value is None else str(value)
