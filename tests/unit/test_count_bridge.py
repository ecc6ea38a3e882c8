"""Whatever the records say, the bridge adds up and the tables agree with each other."""

from __future__ import annotations

from itertools import product

import pandas as pd
import pytest
from count_world import World
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from warehouse.count import compute_published_tables
from warehouse.indicators import DIMENSIONS, indicators

PERIODS = ("2012-Q4", "2013-Q1", "2013-Q2")
day = st.one_of(st.none(), st.dates(pd.Timestamp("2012-06-01").date(), pd.Timestamp("2014-01-01").date()).map(str))
group = st.sampled_from(["trafficking", "prostitution", "other", None])
record = st.fixed_dictionaries(
    {
        "institution": st.sampled_from(["police", "inspectorate", "prosecution", "courts", "corrections"]),
        "case": st.integers(0, 3),
        "person": st.integers(0, 3),
        "period": st.sampled_from(PERIODS),
        "group": group,
        "day": day,
        "later": day,
        "outcome": st.sampled_from(["convicted", "acquitted", "rejected"]),
        "merged": st.booleans(),
    }
)
OPENING = {
    "police": ("reported", "sent"),
    "inspectorate": ("reported", "sent"),
    "prosecution": ("received", "indicted"),
    "courts": ("received",),
}


def world_of(records: list[dict]) -> World:
    world = World(PERIODS)
    for n, r in enumerate(records):
        institution, key, person = r["institution"], f"R{n}", f"p{r['person']}"
        charges = (r["group"],) if r["group"] else ()
        if institution == "corrections":
            event = "imprisoned" if r["merged"] else "detained"
            world.person(institution, key, person, file=key, period=r["period"], charges=charges, **{event: r["day"] or "2013-01-01"})
            world.cases[institution, key] = f"c{r['case']}"
            continue
        state = {"police": "merged" if r["merged"] else "sent"}.get(institution)
        events = dict(zip(OPENING[institution], (r["day"], r["later"]), strict=False))
        world.case(institution, key, f"c{r['case']}", period=r["period"], group=r["group"], state=state, **events)
        more = {
            "police": {"arrested": r["later"]},
            "courts": {"judged": r["day"], "final": r["later"]},
            "prosecution": {"dismissed": r["later"]},
        }
        role = {"role": "victim"} if institution == "police" and r["merged"] else {}
        world.person(
            institution,
            f"{key}/1",
            person,
            file=key,
            period=r["period"],
            charges=charges,
            outcome=r["outcome"],
            **more.get(institution, {}),
            **role,
        )
    return world


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(record, min_size=1, max_size=40))
def test_the_bridge_and_the_tables_add_up(records: list[dict]) -> None:
    tables = compute_published_tables(world_of(records).inputs())
    statistics, steps = tables["statistics"], tables["bridge"]
    keys = ["indicator", "period"]
    grand = (statistics[list(DIMENSIONS)] == "total").all(axis=1)
    totals = statistics[grand].set_index(keys)
    added = steps.groupby(keys)["n"].sum().reindex(totals.index, fill_value=0)
    assert (totals["as_reported"] + added == totals["harmonised"]).all()
    behind = tables["bridge_records"].groupby(keys)["sign"].sum().reindex(totals.index, fill_value=0)
    assert (behind == added).all()
    for dimension, measure in product(DIMENSIONS, ("as_reported", "harmonised")):
        others = [d for d in DIMENSIONS if d != dimension]
        rows = statistics[(statistics[others] == "total").all(axis=1) & (statistics[dimension] != "total")]
        apply = [code for code, i in indicators().items() if dimension in i.dimensions]
        sums = rows.groupby(keys)[measure].sum()
        assert (sums == totals[measure][totals.index.get_level_values(0).isin(apply)].reindex(sums.index)).all()
    assert not statistics.duplicated([*keys, *DIMENSIONS]).any()
    quarters = statistics[grand & statistics["period"].str.contains("Q")]
    yearly = quarters.assign(period=quarters["period"].str[:4]).groupby(keys)["as_reported"].sum()
    assert (yearly <= totals["as_reported"].reindex(yearly.index)).all()  # the rest lies in quarters without a delivery
