"""Simulated populations for `disclosure_attack`: persons of several years as known at successive releases.

Belongs here: simulated persons, revisions between releases, exact counts. Does not belong here: releases, attacks (`disclosure_attack`).

Shares of offence, form, sex, age and citizenship are those of a simulated set, varied from population to population.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure.programme import HARMONISED, LEADING, OFFENCE, REPORTED, TOTAL, Programme, TableKey
from warehouse.releases.exact import BRIDGE

RELEASES = ("2014-06-30", "2015-06-30", "2016-06-30", "2017-06-30")
YEARS = tuple(range(2012, 2017))
SIZES = {
    "victims_identified": (15, 60),
    "victims_referred": (12, 55),
    "victims_assisted": (10, 50),
    "victims_sheltered": (3, 30),
    "victims_represented": (4, 35),
    "persons_arrested": (20, 120),
    "persons_convicted": (6, 45),
}
_VICTIMS = {
    "offence": (0.76, 0.24),
    "form": (0.69, 0.24, 0.06, 0.01),  # sexual, labour or begging, other, not known
    "sex sexual": (0.88, 0.12, 0.005),
    "sex other": (0.45, 0.545, 0.005),
    "age_group": (0.76, 0.234, 0.006),
    "citizenship_group": (0.60, 0.394, 0.006),
}
SHARES = {
    **dict.fromkeys((code for code in SIZES if code.startswith("victims_")), _VICTIMS),
    "persons_arrested": {
        "offence": (0.37, 0.22, 0.26, 0.15),
        "form": (0.73, 0.21, 0.05, 0.01),
        "sex sexual": (0.12, 0.875, 0.005),
        "sex other": (0.12, 0.875, 0.005),
        "age_group": (1.0, 0.0, 0.0),
        "citizenship_group": (0.94, 0.055, 0.005),
    },
    "persons_convicted": {
        "offence": (0.31, 0.23, 0.34, 0.12),
        "form": (0.45, 0.20, 0.02, 0.33),
        "sex sexual": (0.20, 0.795, 0.005),
        "sex other": (0.20, 0.795, 0.005),
        "age_group": (1.0, 0.0, 0.0),
        "citizenship_group": (0.93, 0.065, 0.005),
    },
}
"""Of `harmonia simulate --seed 77 --start 2012 --years 2 --cases-per-year 150` as counted by `harmonia run`."""
SCATTER = 25
KINDS = {6: "one victim", 13: "one cell", 17: "tiny"}
"""By the seed's place among twenty: years of one person, all persons in one cell, none to eleven a year; else as `SIZES`."""
LATE, GONE, CORRECTED = 0.04, 0.015, 0.04
"""Between two releases of a year: added, withdrawn, an attribute corrected."""
TWICE = (0.0, 0.02, 0.07, 0.15, 0.3)
"""As reported: the share of persons recorded once more, by the seed."""
CAUSES = {"same_person": 0.4, "registered_twice": 0.25, "merged": 0.15, "counted_before": 0.1, "separated": 0.05, "other_institution": 0.05}
MOVED = 0.04
"""Why they are recorded once more; persons of another year, added and taken away (`date_corrected`)."""
DIMENSIONS = ("offence", "quarter", "sex", "age_group", "citizenship_group", "form")


@dataclass
class Persons:
    """Persons of one indicator and year: a column of category numbers per dimension."""

    columns: np.ndarray

    def __len__(self) -> int:
        return len(self.columns)


class World:
    """One population: `known[release][indicator, year]` are the persons as known then."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.kind, self.twice = KINDS.get(seed % 20, "plain"), TWICE[seed % len(TWICE)]
        self.known: dict[str, dict[tuple[str, int], Persons]] = {}
        self._shares = {code: self._scattered(code) for code in SIZES}
        self._grow()

    def _scattered(self, code: str) -> dict[str, np.ndarray]:
        """This population's shares: those of `SHARES`, scattered."""
        return {name: self.rng.dirichlet(np.array(shares) * SCATTER + 0.05) for name, shares in SHARES[code].items()}

    def _people(self, code: str, size: int) -> np.ndarray:
        share, draw = self._shares[code], self.rng.choice
        form = draw(4, size, p=share["form"])
        sex = np.where(form == 0, draw(3, size, p=share["sex sexual"]), draw(3, size, p=share["sex other"]))
        columns = [draw(len(share["offence"]), size, p=share["offence"]), draw(4, size), sex]
        columns += [draw(3, size, p=share[d]) for d in ("age_group", "citizenship_group")]
        out = np.stack([*columns, form], axis=1)
        return np.tile(out[:1], (size, 1)) * [0, 1, 1, 1, 1, 1] if self.kind == "one cell" and size else out

    def _size(self, code: str) -> int:
        low, high = SIZES[code]
        if self.kind == "tiny":
            return int(self.rng.integers(0, 12))
        return int(self.rng.integers(low, high + 1))

    def _grow(self) -> None:
        level = {code: self._size(code) for code in SIZES}
        before: dict[tuple[str, int], Persons] = {}
        for release in RELEASES:
            now = {key: Persons(self._revised(key[0], persons.columns)) for key, persons in before.items()}
            for code in SIZES:
                for year in (y for y in YEARS if y < int(release[:4]) and (code, y) not in now):
                    drift = int(np.clip(round(level[code] * self.rng.uniform(0.75, 1.3)), *SIZES[code]))
                    size = self._size(code) if self.kind == "tiny" else drift
                    size = 1 if self.kind == "one victim" and self.rng.random() < 0.5 else size
                    now[code, year] = Persons(self._people(code, size))
            self.known[release] = before = now

    def _revised(self, code: str, columns: np.ndarray) -> np.ndarray:
        kept = columns[self.rng.random(len(columns)) >= GONE]
        fresh = self._people(code, len(kept))
        change = (self.rng.random(kept.shape) < CORRECTED / kept.shape[1]) if self.kind != "one cell" else np.zeros(kept.shape, bool)
        late = self._people(code, int(self.rng.binomial(max(len(kept), 1), LATE)))
        return np.concatenate([np.where(change, fresh, kept), late])

    def exact(self, programme: Programme, release: str) -> dict[TableKey, tuple[int, ...] | None]:
        """The exact figures as known at a release."""
        out: dict[TableKey, tuple[int, ...] | None] = {}
        for (code, year), persons in self.known[release].items():
            out |= dict(self._tables(programme, code, str(year), persons.columns))
        return out

    def _tables(self, programme: Programme, code: str, year: str, columns: np.ndarray) -> Iterator[tuple[TableKey, tuple[int, ...]]]:
        indicator_tables = programme.indicators[code]
        yield TableKey(code, HARMONISED, TOTAL, year), (len(columns),)
        yield TableKey(code, HARMONISED, OFFENCE, year), _tally(columns[:, 0], len(indicator_tables.offences))
        inside = columns[columns[:, 0] == indicator_tables.offences.index(LEADING)]
        for table in indicator_tables.tables:
            if table == "sex_age_group":
                yield TableKey(code, HARMONISED, table, year), _tally(inside[:, 2] * 3 + inside[:, 3], 9)
            else:
                at = DIMENSIONS.index(table)
                yield (
                    TableKey(code, HARMONISED, table, year),
                    _tally(inside[:, at], len(programme.cells(TableKey(code, HARMONISED, table, year)))),
                )
        yield from self._reported(code, year, columns[:, 0])

    def _reported(self, code: str, year: str, offence: np.ndarray) -> Iterator[tuple[TableKey, tuple[int, ...]]]:
        """The totals as reported, and the causes between."""
        rng = np.random.default_rng([len(offence), int(year)])
        twice = offence[rng.random(len(offence)) < self.twice]
        steps = dict(zip(CAUSES, -rng.multinomial(len(twice), list(CAUSES.values())), strict=True))
        steps["date_corrected"] = int(rng.binomial(len(offence), MOVED)) - int(rng.binomial(len(offence), MOVED)) if self.twice else 0
        total = max(0, len(offence) - int(sum(steps.values())))
        steps["missing_date_found"] = len(offence) - total - sum(steps.values())
        own = min(total, int((offence == 0).sum() + (twice == 0).sum()))
        yield TableKey(code, REPORTED, TOTAL, year), (total,)
        yield TableKey(code, REPORTED, OFFENCE, year), (own, total - own)
        yield TableKey(code, BRIDGE, BRIDGE, year), tuple(int(steps.get(cause, 0)) for cause in meanings_of_bridge_causes())


def _tally(values: np.ndarray, size: int) -> tuple[int, ...]:
    return tuple(np.bincount(values, minlength=size).tolist())
