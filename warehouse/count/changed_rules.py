"""Effect of a changed rule: the figures by the published rule and by the rule in the file, over the same facts.

Belongs here: reading the published rule, comparing, and refusing a rule that changed without a new version. Does not belong here: running
SQL (`warehouse/star/figures`) or models (`warehouse/count/effect`), the command (`harmonia/cli/indicator_commands`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse.count.effect import recount_indicator
from warehouse.indicators import LANGUAGES, read_indicator
from warehouse.indicators.catalogue import MEASURES, Definition
from warehouse.reading import open_publication
from warehouse.star.figures import CELL, indicator_figures

_MEASURED = ["as_reported", "harmonised"]
_DECLARED = ("order", "title", "definition", "unit", "reference", "institutions", "dimensions", "source")


def rules_in_warehouse(connection: duckdb.DuckDBPyConnection) -> dict[str, Definition]:
    """The rules of every indicator in a published warehouse, by code."""
    rows = connection.execute("SELECT * FROM indicators").df().astype(object)
    rows = rows.where(rows.notna(), None)
    return {str(row["indicator"]): _definition_of_row({str(k): v for k, v in row.items()}) for row in rows.to_dict("records")}


def _definition_of_row(row: Mapping[str, object]) -> Definition:
    def listed(name: str) -> tuple[str, ...]:
        return tuple(str(row[name] or "").split(",")) if row[name] else ()

    return Definition(
        code=str(row["indicator"]),
        order=int(str(row["position"])),
        version=int(str(row["version"])),
        title={language: str(row[f"title_{language}"]) for language in LANGUAGES},
        definition={language: str(row[f"definition_{language}"]) for language in LANGUAGES},
        unit=str(row["unit"]),
        kind=str(row["kind"]),
        reference=str(row["reference"]),
        source=str(row["source"]),
        institutions=listed("institutions"),
        dimensions=listed("dimensions"),
        counting=json.loads(str(row["counting"])) if row["counting"] else {},
        sql={measure: str(row[f"sql_{measure}"]) for measure in MEASURES if row[f"sql_{measure}"]},
        rule=str(row["rule"]),
    )


def published_rules(home: Path) -> dict[str, Definition]:
    """The rules published in a home; none if nothing is published, or by a version that did not store rules."""
    try:
        with open_publication(home) as connection:
            return rules_in_warehouse(connection)
    except HarmoniaError:
        return {}


def unversioned_changes(before: Mapping[str, Definition], now: Mapping[str, Definition]) -> list[str]:
    """Indicators whose rule differs from the published one of the same version."""
    return [code for code, one in now.items() if code in before and one.rule != before[code].rule and one.version == before[code].version]


def require_versions(before: Mapping[str, Definition], now: Mapping[str, Definition]) -> None:
    """Raise `HarmoniaError` if a rule changed and its version did not."""
    changed = unversioned_changes(before, now)
    if changed:
        raise HarmoniaError(
            f"the rule of {', '.join(changed)} differs from the published one, but its version is the same: see the effect with "
            f"`harmonia indicator diff {changed[0]}`, then raise `version` in warehouse/indicators/{changed[0]}.yaml"
        )


def _figures_by_rule(connection: duckdb.DuckDBPyConnection, one: Definition | None) -> pd.DataFrame:
    """CELL, as_reported, harmonised by a rule."""
    if one and one.counting:
        declared = {key: getattr(one, key) for key in _DECLARED} | {"indicator": one.code, **one.counting}
        return recount_indicator(connection, read_indicator(Path(f"{one.code}.yaml"), declared))
    return indicator_figures(connection, [one] if one and one.sql else [])[[*CELL, *_MEASURED]]


def effect_of_rules(connection: duckdb.DuckDBPyConnection, before: Definition | None, now: Definition) -> pd.DataFrame:
    """Every figure by both rules over the facts of a published warehouse.

    Out: CELL, as_reported and harmonised of `before` and (`_new`) of `now`, differs. A cell that only one rule gives is 0 in the other.
    Raises `HarmoniaError` if a rule fails.
    """
    old, new = (_figures_by_rule(connection, one) for one in (before, now))
    both = old.merge(new, on=CELL, how="outer", suffixes=("", "_new"), indicator="given")
    if len(old) and len(new):
        for measure in _MEASURED:
            both[measure] = both[measure].mask(both["given"] == "right_only", 0)
            both[f"{measure}_new"] = both[f"{measure}_new"].mask(both["given"] == "left_only", 0)
    same = [(both[m] == both[f"{m}_new"]).fillna(False) | (both[m].isna() & both[f"{m}_new"].isna()) for m in _MEASURED]
    return both.drop(columns="given").assign(differs=~(same[0] & same[1])).sort_values(CELL, ignore_index=True)
