"""Codes and words of the simulated world: laws and articles, offence groups, forms, places, words that institutions use.

Belongs here: what the values of the world mean, and how they are written without variation. Sources: deliveries.md, counting-rules.md
(offence groups), sources-of-facts.md (all in docs/reference); the articles of other offences are general knowledge. Does not belong here:
wrong or other spellings (`spelling.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

GROUPS = ("trafficking", "slavery", "withholding_identity_papers", "facilitating_prostitution", "prostitution", "other")
FORMS = ("sexual", "forced_labour", "forced_begging", "slavery_servitude", "organ_removal", "other", "unknown")
SEXES = ("male", "female", "unknown")
AGE_GROUPS = ("child", "adult", "unknown")
CITIZENSHIP_GROUPS = ("domestic", "foreign", "unknown")

MINOR_OFFENCES = "LRQP2009"
CODES = (("KPK2003", date(1, 1, 1)), ("KPRK2012", date(2013, 1, 1)), ("KPRK2019", date(2019, 4, 14)))
LAWS = ("KPK2003", "KPRK2012", "KPRK2019", MINOR_OFFENCES)
FORM_CODES = {
    "sexual": "S",
    "forced_labour": "P",
    "forced_begging": "L",
    "slavery_servitude": "SK",
    "organ_removal": "O",
    "other": "T",
}

# The article in KPK2003, KPRK2012 and KPRK2019, by offence group or kind of other offence (None: in no article of that code).
ARTICLES: dict[str, tuple[str | None, str | None, str | None]] = {
    "trafficking": ("139", "171", "165"),
    "slavery": ("137", "169", "163"),
    "withholding_identity_papers": ("140", "172", "166"),
    "facilitating_prostitution": ("201", "241", "234"),
    "smuggling": ("138", "170", "164"),
    "injury": ("153", "188", "185"),
    "kidnapping": ("159", "194", "190"),
    "threat": ("161", "185", "181"),
    "rape": ("193", "230", "227"),
    "sexual_services": (None, "231", "228"),
    "pornography": ("202", "238", "232"),
    "child_abuse": (None, "250", "244"),
    "organised_crime": ("274", "283", "277"),
    "weapons": ("328", "374", "366"),
    "office": ("339", "422", "414"),
}
OTHER_KINDS = tuple(kind for kind in ARTICLES if kind not in GROUPS)


def find_criminal_code_in_force(day: date) -> str:
    """Return the criminal code in force on `day` (docs/reference/counting-rules.md: KPK2003 to the end of 2012, KPRK2019 from
    2019-04-14)."""
    return [law for law, since in CODES if since <= day][-1]


@cache
def find_offence_group(law: str | None, article: str | None) -> str | None:
    """Return the offence group of an article of a law; None if the article is in no listed group."""
    if law == MINOR_OFFENCES:
        return "prostitution" if article == "4" else None
    column = [name for name, _ in CODES].index(law) if law in dict(CODES) else None
    if column is None or article is None:
        return None
    return next((kind if kind in GROUPS else "other" for kind, articles in ARTICLES.items() if articles[column] == article), None)


@dataclass(frozen=True, slots=True)
class Offence:
    """An offence under an article of a law. `kind`: an offence group, or a kind of offence within the group `other`."""

    kind: str
    law: str
    article: str
    paragraph: str

    @property
    def group(self) -> str:
        """The offence group."""
        return self.kind if self.kind in GROUPS else "other"

    def typed_text(self) -> str:
        """Return the text that the police and the prisons type for the article if they make no error: `171/1 KPRK`."""
        if self.law == MINOR_OFFENCES:
            return "neni 4 Ligji 03/L-142"
        suffix = {"KPK2003": "KPK", "KPRK2012": "KPRK", "KPRK2019": "KPRK 06/L-074"}[self.law]
        return f"{self.article}/{self.paragraph} {suffix}"


def make_offence(kind: str, day: date, paragraph: str = "1") -> Offence:
    """Return the offence of a kind that was committed on a day, under the law in force on that day."""
    if kind == "prostitution":
        return Offence(kind, MINOR_OFFENCES, "4", "1")
    law = find_criminal_code_in_force(day)
    article = ARTICLES[kind][[name for name, _ in CODES].index(law)]
    if article is None:
        return make_offence("threat", day, paragraph)
    return Offence(kind, law, article, paragraph)


def rank_offence_group_by_seriousness(group: str) -> int:
    """Return the rank of an offence group, 0 for the most serious."""
    return GROUPS.index(group)


def find_most_serious_group(groups: Any) -> str:
    """Return the most serious of the offence groups `groups`. Return `other` if there are none."""
    return min(groups, key=GROUPS.index, default="other")


def find_counted_form_of_exploitation(group: str, form: str | None) -> str:
    """Return the form of exploitation under which an offence counts (docs/reference/counting-rules.md, "Form"). Some offence groups have a
    fixed form or none; the others have the form of the case, `form`."""
    if group in ("trafficking", "withholding_identity_papers"):
        return form or "unknown"
    return {"slavery": "slavery_servitude", "facilitating_prostitution": "sexual"}.get(group, "unknown")


@cache
def _read_data_file(name: str) -> Any:
    return yaml.safe_load((Path(__file__).parent / "data" / name).read_text(encoding="utf-8"))


@cache
def read_names() -> dict[str, Any]:
    """Return names by community or citizenship, nicknames and villages (`data/people.yaml`)."""
    return _read_data_file("people.yaml")


@cache
def read_places() -> dict[str, Any]:
    """Return regions, municipalities, countries and facilities (`data/places.yaml`)."""
    return _read_data_file("places.yaml")


@cache
def read_vocabulary() -> dict[str, Any]:
    """Return the words for offences, forms, sexes and ranks (`data/words.yaml`)."""
    return _read_data_file("words.yaml")


def find_court_seat(municipality: str) -> str:
    """Return the seat of the court and prosecution for a municipality, which is the main town of its region
    (docs/reference/sources-of-facts.md, Territory)."""
    return read_places()["regions"][read_places()["municipalities"][municipality][0]][0]
