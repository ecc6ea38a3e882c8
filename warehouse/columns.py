"""Declare columns of published tables, of four kinds: text, count, flag, day. Does not belong here: tables (`tables`, `star`).

Parameters of all kinds:
comment  what the column contains, as the data dictionary shows it
of       the column of a dimension table to which the column refers, e.g. `dim_time.day`. The database does not enforce this reference; a
         test checks that every value exists in the dimension table
linked   whether the value depends on records of other institutions, through record linkage or through a day that was imputed from another
         institution's date. The institution that owns the row cannot read such a column (docs/reference/access.md)
coarse   what analysts see instead of the values, one of `warehouse.analysts.COARSE`
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Boolean, Column, Date, Text


def text_column(
    name: str, comment: str, *, key: bool | str = False, of: str | None = None, linked: bool = False, coarse: str | None = None
) -> Column[str]:
    """Declare a text column.

    key: whether the column contains record keys, which analysts see as pseudonyms. `True` means that the column `institution` names the
    institution of the keys; if another column names the institution, `key` is the name of that column.
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
