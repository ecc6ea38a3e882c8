"""The texts of the reports in one language.

Belongs here: looking up texts. Does not belong here: labels of codes, which the release contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.texts import merge_texts, texts
from schemas.yaml_declarations import read_yaml
from sources import contract
from sources.completeness_states import SIGNED
from warehouse.indicators import LANGUAGES
from warehouse.releases.reading import find_label_of_code, make_text_of_missing_deliveries, require_language


@cache
def load_texts() -> dict[str, Any]:
    """Read all texts as declared: each text is a list with its three languages, in the order of `LANGUAGES`."""
    return merge_texts(read_yaml(Path(__file__).with_suffix(".yaml")), texts("reports"))


@dataclass(frozen=True)
class ReportTexts:
    """The texts in one language. Raises `HarmoniaError` for an unknown language."""

    lang: str

    def __post_init__(self) -> None:
        require_language(self.lang)

    def __call__(self, *path: str, **values: object) -> str:
        """Return the text at a path of names, e.g. `texts("sections", "key")`, with its placeholders filled in."""
        text: Any = load_texts()
        for name in path:
            text = text[name]
        return str(text[LANGUAGES.index(self.lang)]).format(**values)

    def list_sentences(self, name: str) -> list[str]:
        """Return the list of sentences that the texts contain under `name`."""
        return [sentence[LANGUAGES.index(self.lang)] for sentence in load_texts()[name]]

    def format_period(self, period: str) -> str:
        """Return a quarter in words. A year is returned unchanged."""
        return self("quarter", year=period[:4], n=period[6:]) if "-Q" in period else period

    def format_institution(self, name: str) -> str:
        """Return the name of an institution from its contract."""
        return contract.load(name).publisher[self.lang]

    def describe_missing_deliveries(self, missing: str | None) -> str:
        """Describe in words which deliveries are missing or incomplete. The text is empty if there are none.

        missing: these deliveries, as a release stores them (`warehouse.releases.labels.make_text_of_missing_deliveries`).
        """
        return make_text_of_missing_deliveries(missing, self.lang)

    def describe_state(self, state: str, signature: object = None) -> str:
        """Describe the state of a delivery. If its quarter is not signed, the state of the signature is added."""
        unsigned = (
            f" ({find_label_of_code('signature', signature, self.lang)})" if isinstance(signature, str) and signature != SIGNED else ""
        )
        return f"{find_label_of_code('delivery_state', state, self.lang)}{unsigned}"
