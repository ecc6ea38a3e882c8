"""Map the courts' export to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "courts"
OFFENCES = (OffenceColumns("akuza", article="neni", law="ligji", paragraph="paragrafi", principal="kryesore"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered tables `lenda`, `referenca`, `i_pandehur`, `akuza`, `aktgjykimi` and `denimi`, with parsed values and the record
    status of each row.
    """
    files, people, charges, judgments = tables["lenda"], tables["i_pandehur"], tables["akuza"], tables["aktgjykimi"]
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["nr"], "court"),
        former_number=builders.find_former_case_number(INSTITUTION, files, "nr", "court"),
        seat=builders.find_code("seats", files["gjykata"]),
        period=files["_period"],
    )
    persons = builders.build_person_records(
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
    sentences = _select_sentences_of_latest_judgment(tables["denimi"], judgments)
    persons = _add_sentence_months(persons, sentences)
    person_charges = builders.build_key_columns(INSTITUTION, charges).assign(
        principal=(charges["kryesore"] == "true").where(charges["kryesore"].notna()),
        **classify_offences(charges, OFFENCES[0]).drop(columns="problem"),
    )
    judged = judgments["lloji"].notna()
    return {
        "case_records": [records],
        "person_records": [persons],
        "charges": [person_charges],
        "events": [
            builders.build_events(INSTITUTION, files, "received", "pranuar", entity="case", present=files["_key"].notna()),
            builders.build_events(INSTITUTION, judgments, "judged", "data", entity="person", present=judged, outcome=judgments["lloji"]),
            builders.build_events(INSTITUTION, judgments, "final", "forme_prere", entity="person", outcome=judgments["lloji"]),
        ],
        "sentences": [
            builders.build_key_columns(INSTITUTION, sentences).assign(
                kind=sentences["lloji"],
                months=_find_months_of_imprisonment(sentences).where(sentences["lloji"] == "imprisonment"),
                euros=sentences["eur"],
            )
        ],
        "references": [_list_cited_case_numbers(tables["referenca"])],
    }


def _list_cited_case_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    references = builders.build_references(INSTITUTION, rows, "numri", kind="prosecution")
    return references.assign(record_key=references["case_key"])


def _select_sentences_of_latest_judgment(sentences: pd.DataFrame, judgments: pd.DataFrame) -> pd.DataFrame:
    """Return the sentences of the latest judgment on each defendant, in each delivered state of the defendant. Within a court file, only
    the latest judgment counts."""
    defendant_state = ["_delivery", "_record"]
    latest = judgments.sort_values("data", kind="stable", na_position="first").drop_duplicates(defendant_state, keep="last")
    return sentences[sentences["_parent"].isin(latest["_row"])]


def _find_months_of_imprisonment(sentences: pd.DataFrame) -> pd.Series:
    return sentences["vjet"].fillna(0) * 12 + sentences["muaj"].fillna(0)


def _add_sentence_months(persons: pd.DataFrame, sentences: pd.DataFrame) -> pd.DataFrame:
    """Add the column `sentence_months` to `persons`: the longest imprisonment in each delivered state of a defendant."""
    prison = sentences[sentences["lloji"] == "imprisonment"]
    months = pd.DataFrame(
        {"delivery": prison["_delivery"], "record_key": prison["_record"], "sentence_months": _find_months_of_imprisonment(prison)}
    )
    longest = months.groupby(["delivery", "record_key"], as_index=False)["sentence_months"].max()
    return persons.merge(longest, how="left", on=["delivery", "record_key"])
