"""Show what a changed counting rule changes: compute the figures by the published rule and by the rule in the indicator's file from the
same facts.

Belongs here: reading the published rules, comparing the figures by two rules, refusing a rule that changed without a new version. Does not
belong here: running SQL (`warehouse/star/figures`) or models (`warehouse/count/effect`), the command (`harmonia/cli/indicator_commands`).
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
from warehouse.indicators.catalogue import MEASURES, IndicatorDefinition
from warehouse.reading import open_publication
from warehouse.star.figures import CELL, compute_indicator_figures

_MEASURES = ["as_reported", "harmonised"]
_DECLARED_KEYS = ("order", "title", "definition", "unit", "reference", "institutions", "dimensions", "source")


def read_rules_of_warehouse(connection: duckdb.DuckDBPyConnection) -> dict[str, IndicatorDefinition]:
    """Read the definitions of all indicators from the table `indicators` of a published warehouse, by indicator code."""
    rows = connection.execute("SELECT * FROM indicators").df().astype(object)
    rows = rows.where(rows.notna(), None)
    return {str(row["indicator"]): _convert_row_to_definition({str(k): v for k, v in row.items()}) for row in rows.to_dict("records")}


def _convert_row_to_definition(row: Mapping[str, object]) -> IndicatorDefinition:
    def split_list(name: str) -> tuple[str, ...]:
        return tuple(str(row[name] or "").split(",")) if row[name] else ()

    return IndicatorDefinition(
        code=str(row["indicator"]),
        order=int(str(row["position"])),
        version=int(str(row["version"])),
        title={language: str(row[f"title_{language}"]) for language in LANGUAGES},
        definition={language: str(row[f"definition_{language}"]) for language in LANGUAGES},
        unit=str(row["unit"]),
        kind=str(row["kind"]),
        reference=str(row["reference"]),
        source=str(row["source"]),
        institutions=split_list("institutions"),
        dimensions=split_list("dimensions"),
        counting=json.loads(str(row["counting"])) if row["counting"] else {},
        sql={measure: str(row[f"sql_{measure}"]) for measure in MEASURES if row[f"sql_{measure}"]},
        rule=str(row["rule"]),
    )


def read_published_rules(home: Path) -> dict[str, IndicatorDefinition]:
    """Read the definitions that are published in a home, by indicator code. The result is empty if nothing is published, or if the program
    version that published did not store rules."""
    try:
        with open_publication(home) as connection:
            return read_rules_of_warehouse(connection)
    except HarmoniaError:
        return {}


def find_rules_changed_without_new_version(
    published: Mapping[str, IndicatorDefinition], current: Mapping[str, IndicatorDefinition]
) -> list[str]:
    """Return the codes of the indicators whose rule differs from the published one although the version is the same."""
    return [
        code
        for code, one in current.items()
        if code in published and one.rule != published[code].rule and one.version == published[code].version
    ]


def require_new_versions(published: Mapping[str, IndicatorDefinition], current: Mapping[str, IndicatorDefinition]) -> None:
    """Raise `HarmoniaError` if the rule of an indicator changed but its version did not."""
    changed = find_rules_changed_without_new_version(published, current)
    if changed:
        raise HarmoniaError(
            f"the rule of {', '.join(changed)} differs from the published one, but its version is the same: see the effect with "
            f"`harmonia indicator diff {changed[0]}`, then raise `version` in warehouse/indicators/{changed[0]}.yaml"
        )


def _compute_figures_by_rule(connection: duckdb.DuckDBPyConnection, rule: IndicatorDefinition | None) -> pd.DataFrame:
    """Compute all figures of an indicator by one rule. If `rule` is None, there are no rows. Columns: `CELL`, as_reported, harmonised."""
    if rule and rule.counting:
        declared = {key: getattr(rule, key) for key in _DECLARED_KEYS} | {"indicator": rule.code, **rule.counting}
        return recount_indicator(connection, read_indicator(Path(f"{rule.code}.yaml"), declared))
    return compute_indicator_figures(connection, [rule] if rule and rule.sql else [])[[*CELL, *_MEASURES]]


def compare_figures_by_rules(
    connection: duckdb.DuckDBPyConnection, old_rule: IndicatorDefinition | None, new_rule: IndicatorDefinition
) -> pd.DataFrame:
    """Compute every figure of an indicator by the rules `old_rule` and `new_rule`, over the facts of a published warehouse.

    Columns out: `CELL`; as_reported and harmonised: the figure by `old_rule`; as_reported_new and harmonised_new: the figure by `new_rule`;
    differs: whether the two rules give different figures. If both rules give figures, but only one gives the figure of a cell, the value of
    the other rule is 0. Raises `HarmoniaError` if a rule cannot be run.
    """
    old, new = (_compute_figures_by_rule(connection, one) for one in (old_rule, new_rule))
    both = old.merge(new, on=CELL, how="outer", suffixes=("", "_new"), indicator="given")
    if len(old) and len(new):
        for measure in _MEASURES:
            both[measure] = both[measure].mask(both["given"] == "right_only", 0)
            both[f"{measure}_new"] = both[f"{measure}_new"].mask(both["given"] == "left_only", 0)
    same = [(both[m] == both[f"{m}_new"]).fillna(False) | (both[m].isna() & both[f"{m}_new"].isna()) for m in _MEASURES]
    return both.drop(columns="given").assign(differs=~(same[0] & same[1])).sort_values(CELL, ignore_index=True)
