"""The catalogue of rules: complete in three languages, understood by readers of each, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas import rules_doc
from schemas.findings import LANGUAGES, rules

ROOT = Path(rules_doc.__file__).resolve().parents[1]
DIMENSIONS = {"completeness", "validity", "consistency", "uniqueness", "timeliness", "accuracy"}
_CODE = re.compile(r"""["']((?:cell|cross|file|delivery|inbox|row|rows|sheet|xml|db)-[a-z0-9]+(?:-[a-z0-9]+)*)["']""")


@pytest.mark.parametrize("code", sorted(rules()))
def test_rule_tells_the_supplier_in_every_language_what_is_wrong_and_what_to_do(code: str) -> None:
    rule = rules()[code]
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", code)
    assert rule.dimension in DIMENSIONS
    assert rule.origin in ("cause", "consequence")
    assert rule.source.strip()
    for words in (rule.text, rule.action):
        assert set(words) == set(LANGUAGES)
        assert len(set(words.values())) == len(LANGUAGES), "the same words in two languages"
        assert all(text.endswith((".", "?", "!")) for text in words.values()), "a sentence ends with its mark"
        assert not any(re.search("[\u0400-\u04ff]", text) for text in words.values()), "Serbian texts are in Latin script"
        assert not any(re.search(r"\{|\}|TODO", text) for text in words.values())


def test_only_what_is_set_aside_is_a_reject() -> None:
    rejected = {code for code, rule in rules().items() if rule.severity == "reject"}
    assert {rules()[code].level for code in rejected} <= {"row"}


@pytest.mark.parametrize(
    "code", ["cell-reference-spelling", "cell-code-spelling", "cell-article-spelling", "cell-date-other-format", "cell-place-unknown"]
)
def test_what_the_form_permits_is_never_worse_than_info(code: str) -> None:
    assert rules()[code].severity == "info"


def test_every_rule_that_the_code_raises_is_in_the_catalogue() -> None:
    raised = {
        (path.relative_to(ROOT).as_posix(), code)
        for package in ("harmonia", "pipelines", "sources", "schemas", "warehouse")
        for path in (ROOT / package).rglob("*.py")
        for code in _CODE.findall(path.read_text("utf-8"))
    }
    assert not {(where, code) for where, code in raised if code not in rules()}


def test_the_page_of_rules_is_up_to_date() -> None:
    assert rules_doc.PAGE.read_text("utf-8") == rules_doc.render_page(), "run: python -m schemas.rules_doc"


def test_every_rule_of_the_catalogue_is_raised_somewhere() -> None:
    folders = ("harmonia", "pipelines", "sources", "schemas", "warehouse")
    code = "\n".join(path.read_text("utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py"))
    made = {f"file-{reason}" for reason in ("encrypted",)}  # put together from a reason in sources/readers/files.py
    assert not sorted(rule for rule in rules() if rule not in code and rule not in made)
