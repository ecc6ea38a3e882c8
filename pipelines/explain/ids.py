"""Resolves the ids and record keys typed for `harmonia explain`.

Belongs here: parsing ids and record keys, redirects, helpful errors. Does not belong here: the explanations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pipelines.errors import HarmoniaError
from pipelines.explain.published import Key, PublishedHome
from pipelines.feedback.texts import visible
from pipelines.registry.tables import Entity
from sources.contract import institutions

Kind = Literal["person", "case"]
_LETTER: dict[Kind, str] = {"person": "P", "case": "C"}
_TABLE: dict[Kind, str] = {"person": "person_records", "case": "case_records"}


@dataclass(frozen=True)
class Named:
    """A current id of the register; `asked`: the id typed, if it redirects here."""

    entity: Entity
    asked: str | None


def find_entity(home: PublishedHome, kind: Kind, typed: str) -> Named:
    """The case or person with the id `typed`, following redirects. Raises `HarmoniaError` where it is invalid or unknown."""
    matched = re.fullmatch(r"([PC])(\d{1,12})", typed.strip().upper(), re.ASCII)
    if not matched:
        raise HarmoniaError(f"{_shown(typed)} is not a {kind} id: ids look like {_LETTER[kind]}0000123, see the table `lineage`")
    asked = f"{matched[1]}{int(matched[2]):07d}"
    if matched[1] != _LETTER[kind]:
        other = "case" if kind == "person" else "person"
        raise HarmoniaError(f"{asked} is a {other}: type `harmonia explain {other} {asked}`")
    entity = home.entity(asked)
    if entity is None:
        newest = home.newest(kind)
        known = f"the newest {kind} id is {newest}" if newest else f"there is no {kind} yet"
        raise HarmoniaError(f"{asked} is unknown in {home.place}: {known}; see the table `lineage`")
    while entity.redirect_to:
        following = home.entity(entity.redirect_to)
        if following is None:
            raise HarmoniaError(f"{entity.id} redirects to {entity.redirect_to}, which is missing in the registry: restore a backup")
        entity = following
    return Named(entity, asked if entity.id != asked else None)


def read_key(typed: str) -> Key:
    """Parse `institution:key`. Raises `HarmoniaError` where it is invalid."""
    institution, colon, key = typed.strip().partition(":")
    if not colon or institution not in institutions() or not key.strip():
        raise HarmoniaError(
            f"{_shown(typed)} is not a record: type INSTITUTION:KEY, e.g. police:2013-PR-00012/1, with one of {', '.join(institutions())}"
        )
    return institution, key.strip()


def kind_of_pair(home: PublishedHome, keys: tuple[Key, Key], wanted: Kind | None) -> Kind:
    """Whether two records are compared as persons or as cases. Raises `HarmoniaError` where one of them is unknown or they differ in kind.

    Where both keys are keys of a case and a person (inspectorate, corrections), `wanted`, else person.
    """
    holds = {kind: [_holds(home, kind, key) for key in keys] for kind in _TABLE}
    for n, key in enumerate(keys):
        if not any(found[n] for found in holds.values()):
            raise HarmoniaError(f"{_shown(':'.join(key))} is unknown in {home.place}: see the keys in the table `lineage`")
    if keys[0] == keys[1]:
        raise HarmoniaError(f"{_shown(':'.join(keys[0]))} is on both sides: name two different records")
    possible: list[Kind] = [kind for kind, found in holds.items() if all(found)]
    if wanted and wanted not in possible:
        raise HarmoniaError(f"the two records are not both {wanted} records: omit --as, or name two of one kind")
    if not possible:
        raise HarmoniaError("one is a case record and the other a person record: name two of one kind")
    return wanted or possible[0]


def _holds(home: PublishedHome, kind: Kind, key: Key) -> bool:
    table = home.canonical[_TABLE[kind]]
    return bool(((table["institution"] == key[0]) & (table["record_key"] == key[1])).any())


def _shown(typed: str) -> str:
    return f"“{visible(typed)}”"
