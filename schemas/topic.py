"""The topic of a warehouse: offence groups, forms of exploitation, and the indicators in the joint report. It is declared in `topic.yaml`
of the domain.

Belongs here: the typed content of the file. Does not belong here: code lists (`schemas/codes`), texts (`schemas/texts.py`), the country and
its stages (`schemas/domain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

from schemas import domain_folder
from schemas.yaml_declarations import make_value_error, read_declaration

OTHER, UNKNOWN, OF_CASE, NO_FORM = "other", "unknown", "case", "none"


@dataclass(frozen=True)
class OffenceGroup:
    """A group of offences.

    `form` is the form of exploitation that these offences always have. It is `case` if the form is stated for each case, and `none` if the
    offences have no form. `minor` says whether this is a minor offence group, which is shown separately.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    form: str = NO_FORM
    minor: bool = False


@dataclass(frozen=True)
class JointReport:
    """The indicators in the joint report.

    - `broken_down`: the indicator whose persons are broken down, for example by sex
    - `trend`: the indicators in the charts of trends
    - `flow`: the indicators that follow cases and persons from stage to stage, by what they count: cases, victims or other persons
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    broken_down: str
    trend: tuple[str, ...]
    flow: Mapping[Literal["case", "person", "victim"], tuple[str, ...]]

    @property
    def in_flow(self) -> tuple[str, ...]:
        """All indicators in `flow`."""
        return tuple(code for codes in self.flow.values() for code in codes)

    @property
    def indicators(self) -> tuple[str, ...]:
        """All indicators in the report, without duplicates."""
        return tuple(dict.fromkeys([self.broken_down, *self.trend, *self.in_flow]))


@dataclass(frozen=True)
class Topic:
    """The content of `topic.yaml`.

    - `leading`: the offence group that publications show beside the total
    - `offence_groups`: the offence groups, the most serious first
    - `forms`: the forms of exploitation
    - `report`: the indicators in the joint report
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    leading: str
    offence_groups: Mapping[str, OffenceGroup]
    forms: tuple[str, ...]
    report: JointReport

    @property
    def minor(self) -> tuple[str, ...]:
        """The names of the minor offence groups, which are shown in a separate column. There is at most one."""
        return tuple(name for name, group in self.offence_groups.items() if group.minor)


@cache
def topic() -> Topic:
    """Return the topic that `topic.yaml` declares. Raises `DeclarationError` if the file is invalid."""
    path = domain_folder.find_path_in_domain("topic.yaml")
    content = read_declaration(Topic, path)
    groups = tuple(content.offence_groups)
    if groups[-1:] != (OTHER,):
        raise make_value_error(path, "offence_groups", ", ".join(groups), f"the last must be {OTHER}, for offences in no other group")
    if content.forms[-1:] != (UNKNOWN,):
        raise make_value_error(path, "forms", ", ".join(content.forms), f"the last must be {UNKNOWN}")
    if content.leading not in groups:
        raise make_value_error(path, "leading", content.leading, f"it must be one of {', '.join(groups)}")
    for name, group in content.offence_groups.items():
        if group.form not in (OF_CASE, NO_FORM, *content.forms):
            raise make_value_error(
                path, f"offence_groups.{name}.form", group.form, f"it must be {', '.join((OF_CASE, NO_FORM, *content.forms))}"
            )
    if len(content.minor) > 1:
        raise make_value_error(
            path, f"offence_groups.{content.minor[1]}.minor", True, f"only one group can be minor, and {content.minor[0]} is"
        )
    return content
