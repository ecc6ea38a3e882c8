"""One country and topic as data: the country, the stages of the case flow. Another country needs other files here, not other code.

Belongs here: the typed content of the files. Does not belong here: codes with labels (`schemas/codes`), institutions (`sources`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from schemas.canonical import STAGES, Stage
from schemas.declared import checked, declared, wrong

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Country:
    """The country of a warehouse; ages in full years."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    domestic: str
    time_zone: str
    adult: int
    criminal_responsibility: int
    oldest: int
    criminal_codes: str


@dataclass(frozen=True)
class HandOver:
    """The next stage of a case, and within how many days; `persons`: each person separately."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    stage: Stage
    days: int | None = None
    persons: bool = False


@dataclass(frozen=True)
class StageSpec:
    """Declaration of a stage."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    nearest: tuple[Stage, ...]
    hands_to: HandOver | None = None
    files_state_offence: bool = False
    one_person_a_file: bool = False
    form_as_stated: bool = False


@cache
def country() -> Country:
    """The country. Raises `DeclarationError` if the file is invalid."""
    path = _FOLDER / "country.yaml"
    return checked(Country, declared(path), path)


@cache
def stages() -> Mapping[Stage, StageSpec]:
    """The stages in order. Raises `DeclarationError` if the file is invalid."""
    path = _FOLDER / "stages.yaml"
    found = {stage: checked(StageSpec, spec, path, stage) for stage, spec in declared(path).items()}
    if tuple(found) != STAGES:
        raise wrong(path, "stages", ", ".join(found), f"they must be {', '.join(STAGES)}, in this order")
    for stage, spec in found.items():
        if stage not in spec.nearest or len(set(spec.nearest)) < len(spec.nearest):
            raise wrong(path, f"{stage}.nearest", ", ".join(spec.nearest), f"it must name stages once each, and {stage} among them")
    return found
