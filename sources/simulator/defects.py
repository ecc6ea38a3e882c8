"""Makes values wrong, or writes them in another way, as often as in the samples. It remembers the defects, so that a register keeps its
errors.

Whether a field of a record has a defect is decided once. The defect remains in every later state of the record until the institution
corrects it (which happens to some) or the true value changes. `defects.csv` lists a defect in the delivery that first had it. Belongs here:
applying and remembering defects. Does not belong here: rates, and what each defect does to a value (`value_defects.py`, `name_defects.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any

from sources.simulator.records import Cells
from sources.simulator.settings import Settings

CORRECTED = 0.08  # share of a record's defects that each later delivery corrects


@dataclass(slots=True)
class Defect:
    """A row of `defects.csv`: something that is wrong in a delivery. If `record_key` is empty, it concerns a whole file or line."""

    institution: str
    delivery: str
    record_key: str
    kind: str
    field: str = ""
    true_value: str = ""
    delivered_value: str = ""
    note: str = ""


@dataclass(slots=True)
class WrongValue:
    """What a defect puts in place of a value. `value` is the new content of the cell. `values_as_read` has the entries of the record's
    `values_as_read` that change, because a reader without correction reads something else from the cell."""

    kind: str
    value: Any
    values_as_read: Cells = field(default_factory=dict)
    note: str = ""


Maker = Callable[[Any], WrongValue | None]
DefectChoice = tuple[float, Maker]


@dataclass(slots=True)
class _DefectDecision:
    """The decision on a value: the true value for which it was made, and the defect, or None if the value has no defect."""

    true: Any
    wrong: WrongValue | None


class DefectMaker:
    """Makes defects in cells. It keeps the random generator and all decisions made so far; `found` collects the defects."""

    def __init__(self, settings: Settings, stream: str = "defects") -> None:
        self.settings = settings
        self.rng = Random(f"{stream} {settings.seed} {settings.noise}")
        self.found: list[Defect] = []
        self._decisions: dict[tuple[str, str, str], _DefectDecision] = {}
        self._new: set[tuple[str, str, str]] = set()

    def draw_whether_happens(self, rate: float) -> bool:
        """Draw by chance whether an event happens. With typical noise it happens in `rate` of a hundred calls."""
        return self.rng.random() * 100 < rate * self.settings.factor

    def spoil_cell(
        self,
        institution: str,
        delivery: str,
        key: str,
        cells: Cells,
        values_as_read: Cells,
        name: str,
        choices: list[DefectChoice],
        label: str = "",
    ) -> None:
        """Decide whether the cell `name` of `cells` gets one of the defects `choices`, and if so, make it. Each choice has a rate per
        hundred and a function that makes the defect.

        If a decision on the same value was made earlier, it still holds. An empty cell gets no defect. `label`: the name under which the
        decision is remembered, if a record has several values called `name`.
        """
        value = cells[name]
        if value in (None, ""):
            return
        slot = (institution, key, label or name)
        kept = self._decisions.get(slot)
        if kept is not None and kept.true == value:
            if kept.wrong is None:
                return
            if self.rng.random() < CORRECTED:
                self._decisions[slot] = _DefectDecision(value, None)
                return
        else:
            kept = _DefectDecision(value, self._draw_defect(value, choices))
            self._decisions[slot] = kept
            if kept.wrong is not None:
                self.log_defect(institution, delivery, key, kept.wrong.kind, label or name, value, kept.wrong.value, kept.wrong.note)
        if kept.wrong is not None:
            cells[name] = kept.wrong.value
            values_as_read.update(kept.wrong.values_as_read)

    def recall_decision(self, institution: str, key: str, label: str, true: Any, decide: Callable[[Any], WrongValue]) -> Any:
        """Return the decision on several fields of a record together. If there is none yet, `decide` makes it. Return None if the defect
        has been corrected."""
        slot = (institution, key, label)
        kept = self._decisions.get(slot)
        if kept is None:
            kept = self._decisions[slot] = _DefectDecision(true, decide(true))
            self._new.add(slot)
        else:
            self._new.discard(slot)
            if kept.wrong is not None and kept.wrong.kind and self.rng.random() < CORRECTED * min(1.0, self.settings.factor):
                kept.wrong = None
        return kept.wrong.value if kept.wrong is not None else None

    def was_decided_by_last_call(self, institution: str, key: str, label: str) -> bool:
        """Return whether the decision on this value was made by the last call of `recall_decision` for it, and not earlier."""
        return (institution, key, label) in self._new

    def _draw_defect(self, value: Any, choices: list[DefectChoice]) -> WrongValue | None:
        """Draw one of `choices` by its rate, and make the defect. Return None if none of them is drawn."""
        draw = self.rng.random() * 100
        for rate, make in choices:
            draw -= min(rate * self.settings.factor, 92.0)
            if draw < 0:
                return make(value)
        return None

    def log_defect(
        self, institution: str, delivery: str, key: str, kind: str, name: str = "", true: Any = "", delivered: Any = "", note: str = ""
    ) -> None:
        """Record a defect for `defects.csv`."""
        self.found.append(Defect(institution, delivery, key, kind, name, write_defect_value(true), write_defect_value(delivered), note))


def write_defect_value(value: Any) -> str:
    """Return a value as `defects.csv` shows it."""
    if isinstance(value, datetime | date):
        return value.strftime("%d.%m.%Y")
    return "" if value is None else str(value)
