"""Maps the courts' export to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, offences

INSTITUTION = "courts"
OFFENCES = (OffenceColumns("akuza", article="neni", law="ligji", paragraph="paragrafi", principal="kryesore"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Return rows of the canonical tables from `lenda`, `referenca`, `i_pandehur`, `akuza`, `aktgjykimi`, `denimi` (typed, with status)."""
    files, people, charges, judgments = tables["lenda"], tables["i_pandehur"], tables["akuza"], tables["aktgjykimi"]
    records = builders.state(INSTITUTION, files).assign(
        number=builders.own_number(files["nr"], "court"),
        former_number=builders.former_number(INSTITUTION, files, "nr", "court"),
        seat=builders.code_of("seats", files["gjykata"]),
        period=files["_period"],
    )
    persons = builders.persons(
        INSTITUTION,
        people,
        role="defendant",
        given="emri",
        surname="mbiemri",
        parent="emri_babait",
        number="nr_personal",
        born="datelindja",
        sex="gjinia",
        citizenship="shtetesia",
    )
    sentences = _sentences_of_latest_judgment(tables["denimi"], judgments)
    persons = _add_sentence_months(persons, sentences)
    of_people = builders.state(INSTITUTION, charges).assign(
        principal=(charges["kryesore"] == "true").where(charges["kryesore"].notna()),
        **offences(charges, OFFENCES[0]).drop(columns="problem"),
    )
    judged = judgments["lloji"].notna()
    return {
        "case_records": [records],
        "person_records": [persons],
        "charges": [of_people],
        "events": [
            builders.events(INSTITUTION, files, "received", "pranuar", entity="case", present=files["_key"].notna()),
            builders.events(INSTITUTION, judgments, "judged", "data", entity="person", present=judged, outcome=judgments["lloji"]),
            builders.events(INSTITUTION, judgments, "final", "forme_prere", entity="person", outcome=judgments["lloji"]),
        ],
        "sentences": [
            builders.state(INSTITUTION, sentences).assign(
                kind=sentences["lloji"],
                months=_months_of_imprisonment(sentences).where(sentences["lloji"] == "imprisonment"),
                euros=sentences["eur"],
            )
        ],
        "references": [_cited_numbers(tables["referenca"])],
    }


def _cited_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    found = builders.references(INSTITUTION, rows, "numri", kind="prosecution")
    return found.assign(record_key=found["case_key"])


def _sentences_of_latest_judgment(sentences: pd.DataFrame, judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the sentences of the latest judgment of each state of a defendant: within one court file this judgment decides."""
    who = ["_delivery", "_record"]
    latest = judgments.sort_values("data", kind="stable", na_position="first").drop_duplicates(who, keep="last")
    return sentences[sentences["_parent"].isin(latest["_row"])]


def _months_of_imprisonment(sentences: pd.DataFrame) -> pd.Series:
    return sentences["vjet"].fillna(0) * 12 + sentences["muaj"].fillna(0)


def _add_sentence_months(persons: pd.DataFrame, sentences: pd.DataFrame) -> pd.DataFrame:
    """Return `persons` with `sentence_months`, the longest imprisonment of each state of a defendant."""
    prison = sentences[sentences["lloji"] == "imprisonment"]
    whose = pd.DataFrame(
        {"delivery": prison["_delivery"], "record_key": prison["_record"], "sentence_months": _months_of_imprisonment(prison)}
    )
    longest = whose.groupby(["delivery", "record_key"], as_index=False)["sentence_months"].max()
    return persons.merge(longest, how="left", on=["delivery", "record_key"])
