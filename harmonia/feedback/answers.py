"""The answers of institutions to findings: enter them, decide on them, apply them to findings.

Does not belong here: the workbook in which institutions answer (`intake`).

The verdict of an answer is one of these:
- `announced`: a correction will be delivered. The finding stays open until a delivery shows it to be fixed.
- `accepted`: the finding is accepted as it is, for a reason that the answer gives. This takes effect when the owner of the system has
  countersigned the answer with an expiry date, and only for deliveries whose period ends by that date.
- `no_error`: the value is right. The finding is not raised again for this value.
The owner may refuse any answer.
An answer applies to the value that the finding had when it was answered, in that delivery and in later ones. The value is stored as a
hash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Answer
from sources.contract import DeliveryName
from sources.periods import last_day

VERDICTS = ("announced", "accepted", "no_error")
GIVEN = ("institution", "finding", "delivery", "rule", "record_key", "field", "verdict", "reason", "person", "value_mark", "origin")
ANSWERS = ("id", *GIVEN, "answered_at", "decision", "decided_by", "decided_at", "until", "decision_reason")
_SAME = ("institution", "finding", "verdict", "reason", "person", "value_mark")


def hash_finding_values(findings: pd.Series, values: pd.Series, key: bytes) -> pd.Series:
    """Hash the value of each finding with the secret `key`, so that an answered value is recognised without being stored.

    findings: the names of the findings. values: their values. Returns hashes of 128 bits as hexadecimal text, with the index of
    `findings`.
    """
    pairs = zip(findings.fillna(""), values.fillna(""), strict=True)
    hashes = [hmac.new(key, f"{f}\0{v}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32] for f, v in pairs]
    return pd.Series(hashes, index=findings.index, dtype="str")


def read_answers(registry: Registry) -> pd.DataFrame:
    """Read all answers, in the order of entry. Columns out: `ANSWERS`."""
    with registry.read() as session:
        return _read_answer_rows(session)


def _read_answer_rows(session: Session) -> pd.DataFrame:
    """Read all answers in a session. Columns out: `ANSWERS`."""
    rows = session.execute(select(*(getattr(Answer, name) for name in ANSWERS)).order_by(Answer.id)).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=list(ANSWERS))
    texts = [name for name in ANSWERS if name not in ("id", "answered_at", "decided_at", "until")]
    return frame.astype({**dict.fromkeys(texts, "str"), "id": "int64"})


def read_current_answers(registry: Registry, institution: str) -> dict[str, Answer]:
    """Read the current answers of an institution. The result maps the name of a finding to its answer."""
    with registry.read() as session:
        rows = session.scalars(select(Answer).where(Answer.institution == institution).order_by(Answer.id))
        return {row.finding: row for row in rows}


def select_latest_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """Select the current answer to each finding, that is the latest one. answers: from `read_answers`."""
    return answers.drop_duplicates(["institution", "finding"], keep="last", ignore_index=True)


def enter_answers(registry: Registry, rows: pd.DataFrame, seen_answer_numbers: Mapping[str, int] | None = None) -> pd.Series:
    """Enter answers in one transaction; return for each row whether it was entered.

    rows: the answers, with the columns `GIVEN`. An answer that equals the current answer to its finding is not entered.
    seen_answer_numbers: maps a finding to the number of the answer that was current when the institution answered, 0 for none. If the
    current answer is another one by now, nothing is entered for that finding. None: do not check this.
    """
    moment = now()
    with registry.write() as session:
        current = select_latest_answers(_read_answer_rows(session))
        stored = pd.MultiIndex.from_frame(current[list(_SAME)])
        is_new = pd.Series(~pd.MultiIndex.from_frame(rows[list(_SAME)]).isin(stored), index=rows.index)
        if seen_answer_numbers is not None:
            numbers = current.set_index(["institution", "finding"])["id"]
            now_there = numbers.reindex(pd.MultiIndex.from_frame(rows[["institution", "finding"]])).fillna(0).astype("int64")
            is_new &= now_there.to_numpy() == rows["finding"].map(dict(seen_answer_numbers)).fillna(0).astype("int64").to_numpy()
        new = rows.loc[is_new, list(GIVEN)].astype(object)
        entered = new.where(new.notna(), None).to_dict("records")
        if entered:
            session.execute(insert(Answer), [{**{str(k): v for k, v in row.items()}, "answered_at": moment} for row in entered])
    return is_new


def decide_on_answers(
    registry: Registry,
    answer_numbers: Sequence[int],
    decision: str,
    deciding_user: str,
    expiry_day: date | None = None,
    reason: str | None = None,
) -> int:
    """Record the owner's decision on the answers with these numbers; return how many there are.

    decision: `countersigned` or `refused`. deciding_user: who decides. expiry_day: last day on which a countersigned answer is valid.
    reason: why answers are refused; the institution reads it. Raises `HarmoniaError` if a refusal has no reason, or if an answer does not
    exist, was already decided, was superseded, needs no countersignature, or was given by `deciding_user`.
    """
    if decision == "refused" and not (reason or "").strip():
        raise HarmoniaError("a refusal needs a reason, which the institution reads: write it in one sentence")
    with registry.write() as session:
        counts = select_latest_answers(_read_answer_rows(session)).set_index("id")
        for number in answer_numbers:
            if number not in counts.index:
                raise HarmoniaError(f"answer {number} does not exist or was superseded: see `harmonia feedback list`")
            row = counts.loc[number]
            if not pd.isna(row["decision"]):
                raise HarmoniaError(f"answer {number} was already {row['decision']} by {row['decided_by']}")
            if decision == "countersigned" and row["verdict"] != "accepted":
                raise HarmoniaError(f"answer {number} is {row['verdict']}: only `accepted` needs a countersignature")
            if str(row["person"]).casefold() == deciding_user.casefold():
                raise HarmoniaError(f"answer {number} was given by {deciding_user}: somebody else must decide on it")
        statement = update(Answer).where(Answer.id.in_(list(answer_numbers)))
        session.execute(
            statement.values(decision=decision, decided_by=deciding_user, decided_at=now(), until=expiry_day, decision_reason=reason)
        )
    return len(answer_numbers)


def apply_answers(findings_with_state: pd.DataFrame, answers: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Apply answers to findings.

    findings_with_state: findings (columns `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`). answers: from `select_latest_answers`.
    key: as for `hash_finding_values`. Columns added: answer (verdict, or `refused`; null if unanswered), answer_id. The state of a finding
    that its answer closes becomes `accepted_as_is`.
    """
    out = findings_with_state.reset_index(drop=True)
    answered = out.loc[out["finding"].isin(answers["finding"]) & (out["state"] != "fixed"), ["institution", "finding", "delivery", "value"]]
    answered = answered.assign(row=answered.index, mark=hash_finding_values(answered["finding"], answered["value"], key))
    both = answered.merge(answers.rename(columns={"delivery": "answered"}), on=["institution", "finding"])
    both = both[
        (both["mark"] == both["value_mark"])
        & (_make_sortable_delivery_names(both["answered"]) <= _make_sortable_delivery_names(both["delivery"]))
    ]
    both = both.sort_values("id").drop_duplicates("row", keep="last").set_index("row")
    both = both.assign(verdict=both["verdict"].mask(both["decision"] == "refused", "refused"))
    ends = both["delivery"].map(_find_last_day_of_delivery_period)
    holds = (both["decision"] == "countersigned") & (ends <= both["until"].where(both["until"].notna(), date.min))
    closed = (both["verdict"] == "no_error") | ((both["verdict"] == "accepted") & holds)
    out["answer"] = both["verdict"].reindex(out.index).astype("str")
    out["answer_id"] = both["id"].reindex(out.index).astype("Int64")
    out.loc[both.index[closed], "state"] = "accepted_as_is"
    return out


def _find_last_day_of_delivery_period(delivery: str) -> date:
    """Return the last day of the period of a delivery; the first possible day if `delivery` is not a valid name of a delivery."""
    name = DeliveryName.parse(delivery)
    return last_day(name.period) if name else date.min


def _make_sortable_delivery_names(names: pd.Series) -> pd.Series:
    """Convert the names of deliveries to texts that sort by period, then by version; empty for an invalid name."""
    parsed = {name: DeliveryName.parse(name) for name in names.unique()}
    return names.map({name: f"{one.period}_{one.version:04}" if one else "" for name, one in parsed.items()}).astype("str")
