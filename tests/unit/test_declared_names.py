"""Names that nobody declared are published under neutral ones; declared ones, and their spellings, as they were delivered."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from count_world import World

from schemas.findings import complete_columns
from warehouse.count import open_database_of_counting_models
from warehouse.count.neutral_names import OTHER_UNITS

LINEAGE = pd.DataFrame(
    [
        ("police", "2013-Q1", "rastet.csv", None),
        ("police", "2013-Q1", "Arben Krasniqi 12.03.1980.csv", None),
        ("police", "2013-Q1", "A copy.csv", None),
        ("corrections", "2013-Q1", "shkk.xlsx", "QK Dubravë"),
        ("corrections", "2013-Q1", "SHKK.xlsx", "qk dubrave"),
        ("corrections", "2013-Q1", "shkk.xlsx", "Arben Krasniqi"),
        ("prosecution", "2013-Q1", "psh.dump", "lenda"),
    ],
    columns=["institution", "delivery", "file", "part"],
).astype("str")
FINDINGS = pd.DataFrame(
    [
        ("police", "2013-Q1", "Arben Krasniqi 12.03.1980.csv", None, "Data e lindjes e Arbenit"),
        ("police", "2013-Q1", "rastet.csv", None, "Nr_rastit"),
        (None, None, "Arben Krasniqi", None, None),
    ],
    columns=["institution", "delivery", "file", "part", "field"],
).astype("str")


def test_what_the_contract_does_not_name_is_numbered_within_its_delivery():
    rest = {"entity": "case", "record_key": "1", "line": 1, "status": "accepted"}
    found = complete_columns(FINDINGS.assign(rule="file-missing")).assign(state="new")
    with open_database_of_counting_models(replace(World().inputs(), lineage=LINEAGE.assign(**rest), findings=found)) as models:
        out = {name: models.read_frame(name) for name in ("lineage", "findings")}
    assert sorted(out["lineage"]["file"]) == [
        "SHKK.xlsx",
        "psh.dump",
        "rastet.csv",
        "shkk.xlsx",
        "shkk.xlsx",
        "undeclared file 1",
        "undeclared file 2",
    ]
    assert sorted(out["lineage"]["part"].dropna()) == ["QK Dubravë", "lenda", "qk dubrave", "undeclared sheet 1"]
    assert sorted(out["findings"]["file"]) == ["rastet.csv", "undeclared file 1", "undeclared file 2"]
    assert sorted(out["findings"]["field"].dropna()) == ["Nr_rastit", "undeclared column 1"]
    assert "Arben" not in "".join(frame.to_csv() for frame in out.values())


def test_a_unit_that_few_records_bear_is_one_of_the_others():
    rows = [("police", f"2013-Q{q}", f"{q}-{n}", "Stacioni Lipjan") for q in (1, 2) for n in range(3)]
    rows += [("police", "2013-Q1", f"{n}", "Arben Krasniqi") for n in range(5)]
    rows += [("police", "2013-Q1", "x", None)]
    records = pd.DataFrame(rows, columns=["institution", "delivery", "record_key", "unit"])
    records = records.assign(entity="case", file="f", part=None, line=1, status="accepted")
    with open_database_of_counting_models(replace(World(("2013-Q1", "2013-Q2")).inputs(), lineage=records)) as models:
        units = models.read_frame("delivered_record").set_index("record")["unit"]
    assert units.to_dict() == {
        **{f"{q}-{n}": "Stacioni Lipjan" for q in (1, 2) for n in range(3)},
        **{f"{n}": OTHER_UNITS for n in range(5)},
        "x": "",
    }
