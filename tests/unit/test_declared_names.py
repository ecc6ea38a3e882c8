"""Names that nobody declared are published under neutral ones; declared ones, and their spellings, as they were delivered."""

from __future__ import annotations

import pandas as pd

from warehouse.count.neutral_names import OTHER_UNITS, neutral, neutral_units

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
    out = neutral({"lineage": LINEAGE, "findings": FINDINGS})
    assert out["lineage"]["file"].tolist() == [
        "rastet.csv",
        "undeclared file 2",
        "undeclared file 1",
        "shkk.xlsx",
        "SHKK.xlsx",
        "shkk.xlsx",
        "psh.dump",
    ]
    assert out["lineage"]["part"].dropna().tolist() == ["QK Dubravë", "qk dubrave", "undeclared sheet 1", "lenda"]
    assert out["findings"]["file"].tolist() == ["undeclared file 2", "rastet.csv", "undeclared file 1"]
    assert out["findings"]["field"].dropna().tolist() == ["undeclared column 1", "Nr_rastit"]
    assert "Arben" not in "".join(frame.to_csv() for frame in out.values())


def test_a_unit_that_few_records_bear_is_one_of_the_others():
    rows = [("police", f"2013-Q{q}", f"{q}-{n}", "Stacioni Lipjan") for q in (1, 2) for n in range(3)]
    rows += [("police", "2013-Q1", f"{n}", "Arben Krasniqi") for n in range(5)]
    rows += [("police", "2013-Q1", "x", "")]
    records = pd.DataFrame(rows, columns=["institution", "delivery", "record", "unit"])
    assert neutral_units(records).tolist() == ["Stacioni Lipjan"] * 6 + [OTHER_UNITS] * 5 + [""]
