"""Splink as oracle: it weighs the same pairs with the exported model as the engine does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipelines.linkage.blocking import find_person_pairs_by_blocking, group_records_by_blocking_keys
from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.model import LinkageModel, load_linkage_model
from pipelines.linkage.score import compute_likelihoods, compute_token_frequencies, encode_persons
from pipelines.linkage.splink_export import (
    EXCHANGED_COMPARISON,
    SQL_BY_TEST,
    UNIQUE_ID,
    build_splink_records,
    build_splink_settings,
    build_term_frequencies,
    map_splink_gammas_to_levels,
)

PERSONS = 150
pytestmark = pytest.mark.slow  # Splink takes seconds to import
GIVEN = ["agim", "fatmir", "miri", "a", "besarta", "besart", "drita", "zorica", "aleksandra", "aleksander", "ilir", "lira"]
SURNAMES = ["krasnici", "krasnci", "berisa", "berisa hoti", "hoti gasi", "jovanovic", "jovanovski", "k", "gasi"]
PARENTS = ["ramadan", "ramdan", "hisen", "aleksandra", "aleksander", "r"]
DAYS = pd.to_datetime(["1975-03-04", "1975-04-03", "1875-03-04", "1975-03-14", "1976-03-04", "1977-11-21", "1960-01-01"]).as_unit("s")
NUMBERS = ["1234567890", "1234567891", "1234567809", "0234567891", "9876543210", "123456789"]


def some_persons() -> pd.DataFrame:
    """Person records out of few values, one in six missing, so that among all pairs every level is reached."""
    draw = np.random.default_rng(7)

    def text(values: list[str]) -> pd.Series:
        chosen = pd.Series(draw.choice(np.array(values, dtype=object), PERSONS), dtype="str")
        return chosen.mask(draw.random(PERSONS) < 1 / 6)

    birth = pd.Series(draw.choice(DAYS.to_numpy(), PERSONS)).mask(draw.random(PERSONS) < 0.3)
    frame = pd.DataFrame({"given": text(GIVEN), "surname": text(SURNAMES), "parent": text(PARENTS), "birth_date": birth})
    frame["birth_year"] = birth.dt.year.fillna(pd.Series(draw.choice([1975.0, 1977.0, np.nan], PERSONS)))
    frame["number"] = text(NUMBERS)
    frame["valid"] = frame["number"].notna() & (draw.random(PERSONS) < 0.7)
    for name, values in {"sex": ["M", "F"], "citizenship": ["XKX", "XKX", "ALB", "SRB"], "municipality": ["01", "02", "03"]}.items():
        frame[name] = text(values)
    frame["birthplace"], frame["register_id"], frame["side"] = text(["01", "02"]), text(["R1", "R2", "R3"]), text(["offender", "victim"])
    return frame


@pytest.fixture(scope="module")
def predicted() -> tuple[pd.DataFrame, pd.DataFrame, LinkageModel]:
    """Every pair of `some_persons` as Splink weighs it, and the persons."""
    splink = pytest.importorskip("splink")
    persons, model = some_persons(), load_linkage_model()
    settings = json.loads(json.dumps(build_splink_settings(model, len(persons))))
    api = splink.DuckDBAPI()
    linker = splink.Linker(
        api.register(build_splink_records(persons, model, group_records_by_blocking_keys(persons).groups)), settings, log_level=None
    )
    for column, table in build_term_frequencies(persons, model, compute_token_frequencies(encode_persons(persons, model), model)).items():
        linker.table_management.register_term_frequency_lookup(api.register(table), column)
    left, right = np.triu_indices(len(persons), 1)
    pairs = pd.DataFrame({"match_key": "0", "join_key_l": left, "join_key_r": right})
    linker.table_management.register_blocked_pairs_for_predict(api.register(pairs))
    found = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    return found.sort_values([f"{UNIQUE_ID}_l", f"{UNIQUE_ID}_r"], ignore_index=True), persons, model


def test_splink_gives_every_pair_the_same_match_weight(predicted: tuple[pd.DataFrame, pd.DataFrame, LinkageModel]) -> None:
    splink, persons, model = predicted
    left, right = (splink[f"{UNIQUE_ID}_{side}"].to_numpy("int64") for side in ("l", "r"))
    ours = compute_likelihoods(persons, left, right, model, compute_token_frequencies(encode_persons(persons, model), model))
    prior = build_splink_settings(model, len(persons))["probability_two_random_records_match"]
    theirs = splink["match_weight"].to_numpy() - np.log2(prior / (1 - prior))
    straight = (splink[f"gamma_{EXCHANGED_COMPARISON}"] != 1).to_numpy()
    assert straight.mean() > 0.8
    np.testing.assert_allclose(theirs[straight], ours.weight[straight], atol=1e-6, rtol=0)


def test_splink_gives_every_field_the_same_bits(predicted: tuple[pd.DataFrame, pd.DataFrame, LinkageModel]) -> None:
    splink, persons, model = predicted
    left, right = (splink[f"{UNIQUE_ID}_{side}"].to_numpy("int64") for side in ("l", "r"))
    ours = compute_likelihoods(persons, left, right, model, compute_token_frequencies(encode_persons(persons, model), model))
    straight = (splink[f"gamma_{EXCHANGED_COMPARISON}"] != 1).to_numpy()
    for field in model.fields:
        parts = [c for c in (f"mw_{field.name}", f"mw_tf_adj_{field.name}") if c in splink]
        np.testing.assert_allclose(splink[parts].sum(axis=1)[straight], ours.bits[field.name][straight], atol=1e-6, err_msg=field.name)
        gamma = splink[f"gamma_{field.name}"].to_numpy("int64")
        assert (map_splink_gammas_to_levels(field, model)[gamma] == ours.levels[field.name])[straight].all()
        reached = set(ours.levels[field.name][straight]) - {MISSING_LEVEL}
        assert reached == set(range(len(field.levels))), f"{field.name}: the pairs reach levels {sorted(reached)} only"


def test_every_test_that_a_model_may_name_has_its_sql() -> None:
    from pipelines.linkage.compare import TESTS

    assert set(SQL_BY_TEST) == set(TESTS)


def test_the_exported_blocking_rule_gives_the_same_pairs() -> None:
    splink = pytest.importorskip("splink")
    persons, model = pd.concat([some_persons()] * 2, ignore_index=True), load_linkage_model()  # values so common that they are narrowed
    blocks, ours = group_records_by_blocking_keys(persons).groups, find_person_pairs_by_blocking(persons)
    api = splink.DuckDBAPI()
    linker = splink.Linker(
        api.register(build_splink_records(persons, model, blocks)), build_splink_settings(model, len(persons)), log_level=None
    )
    for column, table in build_term_frequencies(persons, model, compute_token_frequencies(encode_persons(persons, model), model)).items():
        linker.table_management.register_term_frequency_lookup(api.register(table), column)
    found = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    theirs = {tuple(sorted(pair)) for pair in zip(found[f"{UNIQUE_ID}_l"], found[f"{UNIQUE_ID}_r"], strict=True)}
    assert theirs == set(zip(ours.left.tolist(), ours.right.tolist(), strict=True))


def test_a_name_counts_in_the_known_citizenship_where_the_other_is_missing() -> None:
    """Common among the citizens of one country, rare over all: of little weight too where one record does not tell its citizenship."""
    persons, model = pd.concat([some_persons()] * 3, ignore_index=True), load_linkage_model()
    persons.loc[:19, ["given", "citizenship"]] = ["natalia", "MDA"]
    persons.loc[19, "citizenship"] = None
    known = compute_token_frequencies(encode_persons(persons, model), model)
    found = compute_likelihoods(persons, np.array([0, 0]), np.array([1, 19]), model, known).bits["given"]
    assert found[0] == found[1]
