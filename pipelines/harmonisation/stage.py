"""The stage `harmonise`: it takes the validated tables of an institution, and returns canonical tables.

Belongs here: calling the institution's mapping, and checking that columns with a closed list of values have no other values. Nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import pandas as pd

from harmonia.errors import HarmoniaError
from schemas.canonical import TABLES, conform
from schemas.yaml_declarations import display_path
from sources.contract import folder_by_institution, load

Canonical = dict[str, pd.DataFrame]


def harmonise(institution: str, tables: Mapping[str, pd.DataFrame]) -> Canonical:
    """Return the canonical tables of one institution.

    `tables` are its validated tables, with records of every status (column `_status`).
    """
    mapped = import_module(f"sources.{institution}.mapping").to_canonical(dict(tables))
    canonical = {name: concatenate_as_canonical_table(name, mapped.get(name, [])) for name in TABLES}
    for name, frame in canonical.items():
        _require_known_values(institution, name, frame)
    return canonical


def _require_known_values(institution: str, table_name: str, frame: pd.DataFrame) -> None:
    """Raise `HarmoniaError` if a column of the canonical table `table_name` has a value that is not in the closed list of this column.

    Otherwise the rows with this value would be missing from all figures without notice. The error shows the value only if the contract
    declares it, since any other value could be personal data.
    """
    for column in TABLES[table_name]:
        unknown = sorted(set(frame[column.name].dropna().unique()) - set(column.values)) if column.values else []
        if unknown:
            declared = {value for table in load(institution).tables.values() for spec in table.columns for value in spec.meanings}
            shown = next((repr(value) for value in unknown if value in declared), "a value that the contract does not declare")
            raise HarmoniaError(
                f"{institution}: {table_name}.{column.name} is {shown}: it must be one of {', '.join(column.values)}; "
                f"correct the codes in {display_path(folder_by_institution()[institution] / 'contract.yaml')}, or mapping.py beside it"
            )


def concatenate_as_canonical_table(table_name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames to the canonical table `table_name`, with the declared columns and types."""
    filled = [conform(table_name, frame) for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else conform(table_name, pd.DataFrame())
