"""The country of a warehouse and the stages of its case flow (`country.yaml`, `stages.yaml` of the domain; built in: this folder).

Belongs here: the typed content of the files. Does not belong here: where the files are (`schemas.domain_folder`), the topic
(`schemas.topic`), codes with labels (`codes`), institutions (`sources`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from schemas import domain_folder
from schemas.canonical import STAGES, Stage
from schemas.yaml_declarations import convert_declaration, make_value_error, read_declaration, read_yaml


@dataclass(frozen=True)
class PersonalNumber:
    """The format of a personal number, whose last digit is a check digit.

    The check digit is 11 minus the weighted sum of the other digits modulo 11; a result of 10 or 11 becomes 0. `weights` are the weights of
    the other digits. `unchecked` is the first digit of numbers that have no check digit.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: tuple[int, ...]
    unchecked: int | None = None

    @property
    def digit_count(self) -> int:
        """The number of digits."""
        return len(self.weights) + 1


@dataclass(frozen=True)
class Country:
    """The country of a warehouse.

    domestic: code of its citizenship. adult, criminal_responsibility, oldest: ages in full years. letters: letters of its languages beyond
    ASCII. code_page: the encoding of its 8-bit texts if none is agreed.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    domestic: str
    time_zone: str
    adult: int
    criminal_responsibility: int
    oldest: int
    criminal_codes: str
    letters: str
    code_page: str
    personal_number: PersonalNumber | None = None


@dataclass(frozen=True)
class HandOver:
    """The stage to which a case passes next, and the number of days within which it passes. `persons` says whether each person passes
    separately."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    stage: Stage
    days: int | None = None
    persons: bool = False


@dataclass(frozen=True)
class StageSpec:
    """The declaration of a stage."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    nearest: tuple[Stage, ...]
    hands_to: HandOver | None = None
    files_state_offence: bool = False
    one_person_a_file: bool = False
    form_as_stated: bool = False


@cache
def country() -> Country:
    """Return the country. Raises `DeclarationError` if the file is invalid."""
    return read_declaration(Country, domain_folder.find_path_in_domain("country.yaml"))


@cache
def stages() -> Mapping[Stage, StageSpec]:
    """Return the stages that the country has, in order. Raises `DeclarationError` if the file is invalid."""
    path = domain_folder.find_path_in_domain("stages.yaml")
    stage_specs = {stage: convert_declaration(StageSpec, spec, path, stage) for stage, spec in read_yaml(path).items()}
    if not stage_specs or tuple(stage_specs) != tuple(stage for stage in STAGES if stage in stage_specs):
        raise make_value_error(path, "stages", ", ".join(stage_specs), f"they must be some of {', '.join(STAGES)}, in this order")
    for stage, spec in stage_specs.items():
        if stage not in spec.nearest or len(set(spec.nearest)) < len(spec.nearest):
            raise make_value_error(
                path, f"{stage}.nearest", ", ".join(spec.nearest), f"it must name stages once each, and {stage} among them"
            )
        if unknown := [name for name in (*spec.nearest, *([spec.hands_to.stage] if spec.hands_to else [])) if name not in stage_specs]:
            raise make_value_error(path, stage, unknown[0], f"it must be one of {', '.join(stage_specs)}")
    return stage_specs
