"""Generate the page `docs/reference/rules.md`, the catalogue of quality rules, from `schemas/rules/*.yaml`.

Run `python -m schemas.rules_doc` after a change of these files. Belongs here: the layout of the page. Does not belong here: the rules and
their texts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from schemas.findings import LANGUAGES, SEVERITIES, Rule, rules
from schemas.yaml_declarations import read_yaml

_ROOT = Path(__file__).resolve().parents[1]
PAGE = _ROOT / "docs" / "reference" / "rules.md"
_RULES = Path(__file__).resolve().parent / "rules"
_STAGES = {
    "delivery": "Deliveries",
    "pull": "Pulls",
    "file": "Files",
    "permitted": "Permitted by the agreed format",
    "comparison": "Between institutions, if an agreement allows it",
    "cell": "Cells",
    "cross": "Between cells, rows, tables and deliveries",
    "causes": "Common causes of many findings",
}
_PAGE = re.compile(r"docs/[\w./-]+\.md")
_LANGUAGE = {"sq": "Albanian", "sr": "Serbian", "en": "English"}
_HEAD = """# Quality rules

Generated from `schemas/rules/*.yaml` by `python -m schemas.rules_doc`; edit these files, not this page.

A finding names one rule, and each rule has a severity. `reject` means that the row was quarantined, because its key or structure cannot
be read. `error` means that the fault changes figures, or may change them. `warning` means that there is probably a data entry error.
`info` means that the agreed format permits the value, or that only the institution can decide whether it is right; such a finding is
reported once for each column, and is never a fault. *Tolerated* is the share of a delivery's records that may break the rule before a
check warns. A finding of a rule marked *consequence* follows from another finding, and disappears when the other finding is corrected.
"""


def render_page() -> str:
    """Return the page as Markdown: for each file in `schemas/rules` a table of its rules, then the texts of all rules in every language."""
    known = rules()
    of_file = {path.stem: list(read_yaml(path) or {}) for path in sorted(_RULES.glob("*.yaml"))}
    stages = [*(stage for stage in _STAGES if stage in of_file), *(stage for stage in of_file if stage not in _STAGES)]
    parts = [_HEAD]
    for stage in stages:
        parts += [f"## {_STAGES.get(stage, stage)}\n", _make_rules_table([known[code] for code in of_file[stage]])]
    parts.append("## Texts for the supplier\n")
    parts += [_make_rule_texts(known[code]) for stage in stages for code in sorted(of_file[stage])]
    return "\n".join(parts)


def _make_rules_table(of_stage: list[Rule]) -> str:
    ordered = sorted(of_stage, key=lambda rule: (SEVERITIES.index(rule.severity), rule.code))
    lines = ["| rule | severity | tolerated | level | dimension | what is wrong | source |", "|---|---|---|---|---|---|---|"]
    for rule in ordered:
        severity = rule.severity if rule.origin == "cause" else f"{rule.severity}, *{rule.origin}*"
        columns = (severity, f"{rule.tolerance:.0%}", rule.level, rule.dimension, rule.text["en"], rule.source)
        cells = (f"[{rule.code}](#{rule.code})", *columns)
        lines.append(f"| {' | '.join(link_pages(_escape_table_cell(cell), PAGE) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _make_rule_texts(rule: Rule) -> str:
    lines = [f"### {rule.code}\n", "| language | what is wrong | what to do |", "|---|---|---|"]
    lines += [
        f"| {_LANGUAGE[tongue]} | {_escape_table_cell(rule.text[tongue])} | {_escape_table_cell(rule.action[tongue])} |"
        for tongue in LANGUAGES
    ]
    return "\n".join(lines) + "\n"


def link_pages(text: str, page: Path) -> str:
    """Replace the path of each page of `docs/` in `text` by a link to the page. `page` is the generated page that will contain the text."""
    return _PAGE.sub(lambda found: f"[{Path(found[0]).stem}]({os.path.relpath(_ROOT / found[0], page.parent)})", text)


def _escape_table_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(render_page(), "utf-8")
