"""The layout is a promise: an institution is a folder under `sources/` and a file under `schemas/exports/`; truth is never read."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from schemas import exports
from sources import contract

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("institution", contract.institutions())
def test_an_institution_is_whole(institution):
    for module in (f"sources.{institution}.reader", f"sources.{institution}.mapping"):
        assert find_spec(module), f"{module} is missing"
    assert any(find_spec(module) for module in (f"schemas.exports.{institution}", f"sources.{institution}.exports"))
    declared = contract.load(institution)
    assert set(exports.load_pandera_models(institution)) == set(declared.tables)
    assert {t for f in declared.files for t in f.tables} == set(declared.tables)
    offences = import_module(f"sources.{institution}.mapping").OFFENCES
    assert all(where.table in declared.tables for where in offences)
    assert list((ROOT / "tests" / "sources").glob(f"*{institution}*")), f"no golden delivery of {institution} under tests/sources"


@pytest.mark.parametrize("institution", contract.institutions())
def test_every_column_that_names_a_person_is_marked_personal(institution):
    kinds = {"name", "personal_number"}
    for table in contract.load(institution).tables.values():
        unmarked = [c.name for c in table.columns if c.type in kinds and not c.personal]
        assert not unmarked, f"{institution} {table.name}: {unmarked} hold personal data; mark them `personal: true`"


def test_only_the_simulator_and_the_score_know_of_truth():
    may = {"sources/simulator", "warehouse/score", "harmonia/cli/main.py"}  # the command line hands the folder to the score
    for path in ROOT.glob("*/**/*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name.split("/")[0] not in ("harmonia", "pipelines", "schemas", "sources", "warehouse") or any(name.startswith(m) for m in may):
            continue
        constants = (n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant))
        strings = [value for value in constants if isinstance(value, str)]
        paths = [s for s in strings if re.search(r"(^|/)truth(/|$)", s.strip()) and "\n" not in s and " " not in s.strip()]
        assert not paths, f"{name} names a truth folder: {paths}"


def test_institutions_own_words_stay_in_sources():
    words = ("Nr_rastit", "emri_mbiemri", "i_pandehur", "Data e pranimit", "nr_zmnv", "Nr_QPS", "Strehimorja")
    for folder in ("harmonia", "pipelines", "warehouse"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            assert not [w for w in words if w in text], f"{path.relative_to(ROOT)} uses an institution's own words"


def test_no_code_outside_sources_names_the_institutions_for_victims():
    name = re.compile(r"(?<![a-z]_)\b(?:victim_protection|social_work)\b(?!_)")
    for folder in ("harmonia", "pipelines", "portal", "schemas", "warehouse"):
        for kind in ("*.py", "*.sql", "*.js", "*.j2"):
            for path in (ROOT / folder).rglob(kind):
                assert not name.search(path.read_text("utf-8")), f"{path.relative_to(ROOT)} names an institution for victims"
