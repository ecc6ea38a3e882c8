"""The settings of a simulated set, and the rates that belong to each kind of noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, cast

from sources.periods import CADENCES, Cadence

Noise = Literal["clean", "typical", "hard"]
CADENCE: Mapping[str, Cadence] = {
    **dict.fromkeys(("police", "inspectorate", "prosecution", "courts", "corrections", "victim_protection"), "quarterly"),
    "social_work": "monthly",
}
"""How often each institution delivers, unless the arguments of a simulation say otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a simulation. `factor` multiplies the rates of all defects (`defects.py`). The fields from `again` to `parent_number`
    are probabilities of events in the world."""

    seed: int
    start: int
    years: int
    cases_per_year: int
    noise: Noise
    factor: float
    again: float  # a suspect was a suspect before
    same_number: float  # a prosecution number was also assigned at another seat
    new_register_id: float  # a later stay gets a new number in the prisons' register
    registered_twice: float
    renumbered: float
    twins: float
    parent_number: float  # a child is registered under the number of a parent
    life: frozenset[str] = frozenset()  # what registers do over the years (`register_life.KINDS`)
    cadence: Mapping[str, Cadence] = field(default_factory=lambda: CADENCE)

    def may_have_several_files(self, opened: date) -> bool:
        """Return whether a matter that was opened on this day may have several files at one institution that are only linked by another
        record.

        A clean set must not contain what nobody can know. So there it is only allowed for matters of which all records are delivered: for
        an older matter, the record that links the files may be older than the first delivery.
        """
        return self.noise != "clean" or opened >= date(self.start, 1, 1)


def choose_settings(
    seed: int,
    start: int,
    years: int,
    cases_per_year: int,
    noise: Noise,
    life: frozenset[str] = frozenset(),
    cadence: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings that belong to a kind of noise. With `typical`, defects are as frequent as in the samples; with `hard`, about
    twice as frequent. `cadence`: the cadence of each institution that does not deliver as in `CADENCE`. Raises `ValueError` for an argument
    out of range."""
    by_noise = {
        "clean": (0.0, 0.09, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0),
        "typical": (1.0, 0.09, 0.02, 0.05, 0.035, 0.012, 0.0, 0.0),
        "hard": (2.0, 0.38, 0.10, 0.10, 0.07, 0.025, 0.02, 0.15),
    }
    if noise not in by_noise:
        raise ValueError(f"noise {noise!r} is unknown; the kinds are {', '.join(by_noise)}")
    if not 1 <= years <= 50 or cases_per_year < 1 or not 1980 <= start <= 2080:
        raise ValueError("years must be 1 to 50, cases_per_year at least 1, start a year of 1980 to 2080")
    return Settings(seed, start, years, cases_per_year, noise, *by_noise[noise], life, _check_cadence(cadence or {}))


def _check_cadence(asked: Mapping[str, str]) -> Mapping[str, Cadence]:
    """Return the cadence of every institution. Raises `ValueError` for an unknown institution or cadence."""
    for institution, cadence in asked.items():
        if institution not in CADENCE:
            raise ValueError(f"institution {institution!r} is unknown; the simulated ones are {', '.join(CADENCE)}")
        if cadence not in CADENCES:
            raise ValueError(f"cadence {cadence!r} is unknown; the cadences are {', '.join(CADENCES)}")
    return {**CADENCE, **cast("Mapping[str, Cadence]", asked)}
