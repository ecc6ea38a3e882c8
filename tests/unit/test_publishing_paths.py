"""Reports, exports and the explorer read a release's public part; the disclosure-risk test knows nothing of the protection."""

from __future__ import annotations

import ast

import pytest

from tests.publishing_paths import PUBLISHING, ROOT, broken, imports


def modules(folder: str):
    return sorted((ROOT / folder).rglob("*.py")) if (ROOT / folder).is_dir() else []


def test_publishing_code_reaches_nothing_but_the_public_part_of_a_release():
    found = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for folder in PUBLISHING for path in modules(folder)}
    assert {name: wrong for name, text in found.items() if (wrong := broken(name, text))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import duckdb",
        "from warehouse.releases import confidential",
        "from warehouse.releases.confidential import open_confidential_part",
        "from warehouse.releases.exact import count_exact_figures",
        "from warehouse.count import count",
        "import pandas as pd\npd.read_parquet(path)",
        "def f(home):\n    return home.warehouse",
        "def f(place):\n    return place.home.lake / 'statistics'",
        "NAME = 'warehouse.duckdb'",
        "def f():\n    from warehouse import publish",
        "module = __import__('warehouse.count')",
    ],
)
def test_any_other_path_is_rejected(text):
    assert broken("harmonia/reports/page.py", text)


def test_what_publishing_needs_is_allowed():
    text = "import pandas as pd\nfrom warehouse.releases.reading import open_release\nfrom warehouse.indicators import indicators\n"
    assert broken("warehouse/exports/package.py", text) == []
    assert broken("warehouse/exports/transmission.py", "from warehouse.releases.confidential import open_confidential_part") == []


def test_the_disclosure_risk_test_shares_no_code_with_the_protection():
    for path in modules("warehouse/disclosure_risk"):
        ours = {
            name
            for name in imports(ast.parse(path.read_text("utf-8")))
            if name.split(".")[0] in ("warehouse", "harmonia", "pipelines", "schemas", "sources")
        }
        assert all(name.startswith("warehouse.disclosure_risk") for name in ours), f"{path.name} imports {ours}"


def test_only_the_risk_check_calls_the_attacks():
    for folder in ("warehouse", "harmonia", "pipelines"):
        for path in modules(folder):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith("warehouse/disclosure_risk/") or name == "warehouse/releases/risk_check.py":
                continue
            assert not [i for i in imports(ast.parse(path.read_text("utf-8"))) if i.startswith("warehouse.disclosure_risk")], name
