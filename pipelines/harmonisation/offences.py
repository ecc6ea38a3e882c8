"""The offence of a delivered row.

Belongs here: naming the columns of a table that have article, code, words and day, and classifying them together as
`docs/reference/counting-rules.md` says ("The institution's own article"). Single cells are parsed in `articles` and `offence_words`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipelines.harmonisation import articles, offence_words
from schemas.canonical import OFFENCE_GROUPS


@dataclass(frozen=True)
class OffenceColumns:
    """The names of the columns of a delivered table that describe an offence.

    The day of the offence is in the first column of `days` that is filled.
    """

    table: str
    article: str
    law: str | None = None
    words: str | None = None
    days: tuple[str, ...] = ()
    paragraph: str | None = None
    principal: str | None = None


def classify_offences(frame: pd.DataFrame, columns: OffenceColumns) -> pd.DataFrame:
    """Classify the offence in each row of a typed table.

    The result has the index of `frame` and the columns `law`, `article`, `paragraph`, `article_group`, `words_group`, `offence_group` and
    `problem`.
    """
    parsed = articles.parse_articles(frame[columns.article])
    law, family = parsed["law"], parsed["law_family"]
    if columns.law:
        law = frame[columns.law].where(frame[columns.law].notna(), frame[f"{columns.law}:text"])
    words = offence_words.find_offence_groups(frame[columns.words] if columns.words else parsed["words"])
    day = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    for column in columns.days:
        day = day.where(day.notna(), frame[column])
    classified = articles.classify_articles(law, family, parsed["article"], day, words, frame["_period_end"])
    if len(columns.days) > 1:  # if day and law are not known, the law is a guess, so words decide if there are any
        guessed = frame[columns.days[0]].isna() & law.isna() & family.isna() & words.notna()
        classified["article_group"] = classified["article_group"].mask(guessed & (classified["article_group"] != words), None)
        classified["offence_group"] = classified["offence_group"].mask(guessed, words)
    paragraph = frame[columns.paragraph] if columns.paragraph else parsed["paragraph"]
    return pd.DataFrame(
        {
            "law": classified["law"],
            "article": parsed["article"],
            "paragraph": paragraph,
            "article_group": classified["article_group"],
            "words_group": words,
            "offence_group": classified["offence_group"],
            "problem": classified["problem"],
        },
        index=frame.index,
    )


def rank_by_seriousness(groups: pd.Series) -> pd.Series:
    """Return the rank of each offence group: 0 for the most serious one. The order is that of `docs/reference/counting-rules.md`; null is
    last.
    """
    rank = {group: i for i, group in enumerate(OFFENCE_GROUPS)}
    return groups.map(rank).fillna(len(rank)).astype(int)
