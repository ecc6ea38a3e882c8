"""How noisy a simulated set is: rates by kind of noise."""

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
"""How often each institution delivers, unless a simulation says otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a simulation. `factor` multiplies the rates of defects (`defects.py`); the fields after it are probabilities of
    the world itself."""

    seed: int
    start: int
    years: int
    cases_per_year: int
    noise: Noise
    factor: float
    again: float  # a suspect is someone already known
    same_number: float  # a prosecution number that another seat gave too
    new_register_id: float  # a later stay gets a new number in the prisons' register
    registered_twice: float
    renumbered: float
    twins: float
    parent_number: float  # a child registered under a parent's number
    life: frozenset[str] = frozenset()  # what registers do over the years (`register_life.KINDS`)
    cadence: Mapping[str, Cadence] = field(default_factory=lambda: CADENCE)

    def may_have_several_files(self, opened: date) -> bool:
        """Return whether a matter that was opened on this day may have several files at one institution, which only a record that links
        them shows to be one matter.

        In a clean set this is only allowed if every record of the matter is delivered: of an older matter, the linking record may lie
        before the first delivery, and nobody could know.
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
    """Return the settings of a kind of noise. The rates of `typical` are those of the samples' defect counts, those of `hard` about
    twice as high. `cadence`: by institution, where it is another than in `CADENCE`. Raises `ValueError` for an argument out of range."""
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
    for institution, cadence in asked.items():
        if institution not in CADENCE:
            raise ValueError(f"institution {institution!r} is unknown; the simulated ones are {', '.join(CADENCE)}")
        if cadence not in CADENCES:
            raise ValueError(f"cadence {cadence!r} is unknown; the cadences are {', '.join(CADENCES)}")
    return {**CADENCE, **cast("Mapping[str, Cadence]", asked)}
