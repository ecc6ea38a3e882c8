"""Declaration of the columns of published tables. Belongs here: the four kinds of columns. Does not belong here: tables (`tables`, `star`).

`of` names the dimension column that a column references (`dim_time.day`). The database does not enforce it: the warehouse is rebuilt
completely, and a test checks that every value exists. `linked`: the value depends on other institutions' records (record linkage, a day
corrected by another's), so the institution that owns the row cannot read it (docs/reference/access.md). `coarse`: what analysts see
instead of the values, one of `warehouse.analysts.COARSE`.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Boolean, Column, Date, Text


def text_column(
    name: str, comment: str, *, key: bool | str = False, of: str | None = None, linked: bool = False, coarse: str | None = None
) -> Column[str]:
    """Declare a text column. `key`: it contains record keys, which analysts see only as keyed pseudonyms, of the institution in the column
    `institution`, or in the column named here.
    """
    return Column(
        name,
        Text,
        comment=comment,
        info={"record_key": "institution" if key is True else key, "of": of, "linked": linked, "coarse": coarse},
    )


def count_column(name: str, comment: str, *, of: str | None = None, linked: bool = False, coarse: str | None = None) -> Column[int]:
    """Declare a column of whole numbers."""
    return Column(name, BigInteger, comment=comment, autoincrement=False, info={"of": of, "linked": linked, "coarse": coarse})


def flag_column(name: str, comment: str, *, linked: bool = False) -> Column[bool]:
    """Declare a column with yes or no."""
    return Column(name, Boolean, comment=comment, info={"linked": linked})


def day_column(name: str, comment: str, *, of: str | None = None, linked: bool = False, coarse: str | None = None) -> Column[date]:
    """Declare a column with a day."""
    return Column(name, Date, comment=comment, info={"of": of, "linked": linked, "coarse": coarse})
