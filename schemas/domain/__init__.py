"""The country of a warehouse, and the stages through which its cases pass. They are declared in `country.yaml` and `stages.yaml` of the
domain; the files of the built-in domain are in this folder.

Belongs here: the typed content of these two files. Does not belong here: finding the files (`schemas.domain_folder`), the topic
(`schemas.topic`), codes with labels (`schemas/codes`), institutions (`sources`).
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

    The check digit is 11 - (the weighted sum of the other digits modulo 11); a result of 10 or 11 becomes 0. `weights` are the weights of
    the other digits. Numbers that begin with the digit `unchecked` have no check digit.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: tuple[int, ...]
    unchecked: int | None = None

    @property
    def digit_count(self) -> int:
        """How many digits a personal number has."""
        return len(self.weights) + 1


@dataclass(frozen=True)
class Country:
    """The country of a warehouse.

    - `domestic`: the code of its citizenship
    - `adult`, `criminal_responsibility`: the ages in years from which a person is an adult, and can be accused of a crime
    - `oldest`: the highest age in years that is not taken for an error
    - `criminal_codes`: how the codes of its criminal laws begin in the code list `laws`
    - `letters`: the letters of its languages that are not in ASCII
    - `code_page`: the encoding of delivered texts that are not UTF-8, if no encoding is agreed
    - `personal_number`: the format of its personal numbers; None if there are none
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
    """The stage to which a case passes next.

    days: by how many days the two stages may date this differently. persons: whether the next stage is expected to know each person of the
    case, and not the case."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    stage: Stage
    days: int | None = None
    persons: bool = False


@dataclass(frozen=True)
class StageSpec:
    """The declaration of a stage of a criminal case.

    - `nearest`: the stages from which the offence of a case at this stage is taken, in the order of preference
    - `hands_to`: the stage to which cases pass next; None if there is none
    - `files_state_offence`: whether a case file of this stage states an offence itself
    - `one_person_a_file`: whether a case file of this stage is about one person
    - `form_as_stated`: whether figures as reported take the form of exploitation that the case file states, whatever its offence is
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    nearest: tuple[Stage, ...]
    hands_to: HandOver | None = None
    files_state_offence: bool = False
    one_person_a_file: bool = False
    form_as_stated: bool = False


@cache
def country() -> Country:
    """Return the country that `country.yaml` declares. Raises `DeclarationError` if the file is invalid."""
    return read_declaration(Country, domain_folder.find_path_in_domain("country.yaml"))


@cache
def stages() -> Mapping[Stage, StageSpec]:
    """Return the stages that `stages.yaml` declares, in the order of `STAGES`. Raises `DeclarationError` if the file is invalid."""
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
