"""How a column of a published table is declared. Belongs here: the four kinds of columns. Does not belong here: tables (`tables`, `star`).

`of` names the column of a dimension that a column points to (`dim_time.day`). It is not enforced by the database: the warehouse is
rebuilt whole, and a test holds that every value is there. `linked`: the value depends on other institutions' records (who is whom, a
day corrected by another's); the institution whose row it is does not read it (docs/reference/access.md). `coarse`: what analysts see in
place of the values, one of `warehouse.analysts.COARSE`.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Boolean, Column, Date, Text


def text(
    name: str, comment: str, *, key: bool | str = False, of: str | None = None, linked: bool = False, coarse: str | None = None
) -> Column[str]:
    """A text column. `key`: it holds record keys, which analysts see as keyed pseudonyms only; of the institution that the column
    `institution` names, or the column named here.
    """
    return Column(
        name,
        Text,
        comment=comment,
        info={"record_key": "institution" if key is True else key, "of": of, "linked": linked, "coarse": coarse},
    )


def count(name: str, comment: str, *, of: str | None = None, linked: bool = False, coarse: str | None = None) -> Column[int]:
    """A whole number."""
    return Column(name, BigInteger, comment=comment, autoincrement=False, info={"of": of, "linked": linked, "coarse": coarse})


def flag(name: str, comment: str, *, linked: bool = False) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, comment=comment, info={"linked": linked})


def day(name: str, comment: str, *, of: str | None = None, linked: bool = False) -> Column[date]:
    """A day."""
    return Column(name, Date, comment=comment, info={"of": of, "linked": linked})
