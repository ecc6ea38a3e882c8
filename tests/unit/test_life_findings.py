"""What a register did with its records over the years is reported to the institution, with what to do; nothing is lost."""

from __future__ import annotations

from judging_world import Rows, rules, standing

from schemas.findings import rules as catalogue


def police(**cases: tuple[str, str]) -> Rows:
    """Cases by key: status and day of the report."""
    rows = [
        {"Nr_rastit": key.replace("_", "-"), "Statusi": status, "Data_raportimit": day, "Neni": "171"}
        for key, (status, day) in cases.items()
    ]
    people = [{"Nr_rastit": row["Nr_rastit"], "Nr_rendor": "1", "Roli": "I dyshuar", "Mbiemri": "Gashi", "Emri": "Agim"} for row in rows]
    return {"rastet": rows, "personat": people}


def keyed(number: int) -> str:
    return f"2014-PR-{number:05}"


def case(number: int) -> str:
    return keyed(number).replace("-", "_")


REPORTED = "10.01.2014"


def test_a_cancelled_record_is_reported_once_whether_it_was_delivered_before_or_not() -> None:
    found = standing(
        "police",
        {
            "2014-Q1": police(**{case(1): ("Nën hetim", REPORTED), case(3): ("Nën hetim", REPORTED)}),
            "2014-Q2": police(**{case(1): ("Anuluar", REPORTED), case(2): ("Anuluar", REPORTED)}),
            "2014-Q3": police(**{case(2): ("Anuluar", REPORTED)}),
        },
    )
    rules_found = rules(found)
    assert rules_found["cross-cancelled"] == {keyed(1)}
    assert rules_found["cross-cancelled-never-delivered"] == {keyed(2)}
    lineage = found.lineage[found.lineage["entity"] == "case"]
    assert lineage.set_index(["record_key", "delivery"])["status"].to_dict() == {
        (keyed(1), "2014-Q1"): "superseded",
        (keyed(1), "2014-Q2"): "accepted",
        (keyed(2), "2014-Q2"): "superseded",
        (keyed(2), "2014-Q3"): "accepted",
        (keyed(3), "2014-Q1"): "accepted",
    }


def test_a_record_cancelled_in_a_replaced_delivery_is_not_reported() -> None:
    found = standing(
        "police",
        {
            "2014-Q1": police(**{case(1): ("Nën hetim", REPORTED)}),
            "2014-Q2": police(**{case(1): ("Anuluar", REPORTED), case(2): ("Nën hetim", REPORTED)}),
            "2014-Q2_v2": police(**{case(2): ("Nën hetim", REPORTED)}),
        },
    )
    assert "cross-cancelled" not in rules(found)


def test_a_closed_case_that_is_investigated_again() -> None:
    found = standing(
        "police",
        {
            "2014-Q1": police(**{case(1): ("I mbyllur", REPORTED), case(2): ("Nën hetim", REPORTED)}),
            "2014-Q2": police(**{case(1): ("Nën hetim", REPORTED), case(2): ("I mbyllur", REPORTED)}),
        },
    )
    assert rules(found)["cross-reopened"] == {keyed(1)}


def test_a_case_that_came_two_quarters_late_or_more() -> None:
    found = standing(
        "police",
        {
            "2014-Q1": police(**{case(1): ("Nën hetim", REPORTED), case(2): ("Nën hetim", "10.03.2012")}),
            "2014-Q2": police(**{case(3): ("Nën hetim", "20.02.2014")}),  # a quarter later
            "2014-Q3": police(
                **{case(4): ("Nën hetim", "20.02.2014"), case(5): ("Nën hetim", "20.02.2013")}
            ),  # late; before the first delivery
        },
    )
    assert rules(found)["cross-late-entry"] == {keyed(4)}


def test_a_crosswalk_with_doubles_loses_no_row() -> None:
    def files(*keys: str, walk: tuple[tuple[str, str], ...] = ()) -> Rows:
        cases = [{"lenda_id": k, "nr_lendes": f"PP.I.nr.{k}/2014", "data_pranimit": "2014-01-09", "statusi": "HET"} for k in keys]
        return {"lenda": cases, "kryqezimi": [{"tabela": "lenda", "id_vjeter": old, "id_ri": new} for old, new in walk]}

    found = standing("prosecution", {"2014-Q4": files("1", "2"), "2015-Q1": files("71", "72", walk=(("1", "71"), ("1", "72")))})
    status = found.lineage.set_index("record_key")["status"].to_dict()
    assert status == {"1": "superseded", "2": "accepted", "71": "accepted", "72": "accepted"}
    assert rules(found)["cross-crosswalk-double"] == {"71", "72"}
    accounts = found.accounting
    assert (accounts["read"] == accounts[["accepted", "superseded", "withdrawn", "quarantined", "structural"]].sum(axis=1)).all()


def test_every_rule_on_the_life_of_registers_says_the_way_out_in_three_languages() -> None:
    for name in ("cross-cancelled", "cross-cancelled-never-delivered", "cross-reopened", "cross-late-entry", "cross-crosswalk-double"):
        rule = catalogue()[name]
        assert {"sq", "sr", "en"} <= set(rule.text) & set(rule.action)
