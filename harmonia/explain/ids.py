"""Find the person, case or records that a user typed for `harmonia explain`.

Belongs here: parsing ids and record keys, following redirects, errors that say what to type. Does not belong here: the explanations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harmonia.errors import HarmoniaError
from harmonia.explain.published import Key, PublishedHome
from harmonia.feedback.texts import make_visible
from harmonia.registry.tables import Entity
from sources.contract import institutions

Kind = Literal["person", "case"]
_LETTER: dict[Kind, str] = {"person": "P", "case": "C"}
_TABLE: dict[Kind, str] = {"person": "person_records", "case": "case_records"}


@dataclass(frozen=True)
class ResolvedEntity:
    """A case or person with a current id. redirected_from: the id that was typed, if it redirects to this one."""

    entity: Entity
    redirected_from: str | None


def find_entity(home: PublishedHome, kind: Kind, text: str) -> ResolvedEntity:
    """Find the case or person with the id `text`, following redirects. Raises `HarmoniaError` if it is invalid or unknown."""
    match = re.fullmatch(r"([PC])(\d{1,12})", text.strip().upper(), re.ASCII)
    if not match:
        raise HarmoniaError(
            f"{_put_text_in_quotation_marks(text)} is not a {kind} id: ids look like {_LETTER[kind]}0000123, see the table `lineage`"
        )
    entity_id = f"{match[1]}{int(match[2]):07d}"
    if match[1] != _LETTER[kind]:
        other = "case" if kind == "person" else "person"
        raise HarmoniaError(f"{entity_id} is a {other}: type `harmonia explain {other} {entity_id}`")
    entity = home.read_entity(entity_id)
    if entity is None:
        newest_id = home.find_newest_id(kind)
        hint = f"the newest {kind} id is {newest_id}" if newest_id else f"there is no {kind} yet"
        raise HarmoniaError(f"{entity_id} is unknown in {home.folder}: {hint}; see the table `lineage`")
    while entity.redirect_to:
        target = home.read_entity(entity.redirect_to)
        if target is None:
            raise HarmoniaError(f"{entity.id} redirects to {entity.redirect_to}, which is missing in the registry: restore a backup")
        entity = target
    return ResolvedEntity(entity, entity_id if entity.id != entity_id else None)


def parse_record_name(text: str) -> Key:
    """Parse the name of a record, `institution:key`. Raises `HarmoniaError` if it is invalid."""
    institution, colon, key = text.strip().partition(":")
    if not colon or institution not in institutions() or not key.strip():
        known_institutions = ", ".join(institutions())
        raise HarmoniaError(
            f"{_put_text_in_quotation_marks(text)} is not a record: type INSTITUTION:KEY, e.g. police:2013-PR-00012/1, "
            f"with one of {known_institutions}"
        )
    return institution, key.strip()


def determine_pair_kind(home: PublishedHome, keys: tuple[Key, Key], requested_kind: Kind | None) -> Kind:
    """Decide whether two records are compared as persons or as cases.

    If both keys exist for cases and for persons, `requested_kind` decides; if that is None, they are compared as persons. Raises
    `HarmoniaError` if a record is unknown, or if one is a case record and the other a person record.
    """
    has_record = {kind: [_has_record(home, kind, key) for key in keys] for kind in _TABLE}
    for n, key in enumerate(keys):
        if not any(found[n] for found in has_record.values()):
            raise HarmoniaError(
                f"{_put_text_in_quotation_marks(':'.join(key))} is unknown in {home.folder}: see the keys in the table `lineage`"
            )
    if keys[0] == keys[1]:
        raise HarmoniaError(f"{_put_text_in_quotation_marks(':'.join(keys[0]))} is on both sides: name two different records")
    possible: list[Kind] = [kind for kind, found in has_record.items() if all(found)]
    if requested_kind and requested_kind not in possible:
        raise HarmoniaError(f"the two records are not both {requested_kind} records: omit --as, or name two of one kind")
    if not possible:
        raise HarmoniaError("one is a case record and the other a person record: name two of one kind")
    return requested_kind or possible[0]


def _has_record(home: PublishedHome, kind: Kind, key: Key) -> bool:
    table = home.canonical[_TABLE[kind]]
    return bool(((table["institution"] == key[0]) & (table["record_key"] == key[1])).any())


def _put_text_in_quotation_marks(text: str) -> str:
    return f"“{make_visible(text)}”"
