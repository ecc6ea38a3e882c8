"""The ledger: runs, states of deliveries, problems of the inbox with their life."""

from __future__ import annotations

from pathlib import Path

import pytest
from landing_world import World
from sqlalchemy import select

from harmonia.registry.ledger import (
    DeliveryState,
    begin_run,
    end_run,
    find_start_of_first_run,
    read_deliveries,
    record_state,
    record_states,
)
from harmonia.registry.tables import Problem, Run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_killed_run_is_closed_by_the_next(world: World) -> None:
    assert find_start_of_first_run(world.registry) is None
    begin_run(world.registry)
    second = begin_run(world.registry)
    end_run(world.registry, second, "published")
    with world.registry.read() as session:
        runs = session.scalars(select(Run).order_by(Run.id)).all()
    assert [run.outcome for run in runs] == ["killed", "published"]
    assert all(run.finished is not None and run.finished >= run.started for run in runs)
    assert find_start_of_first_run(world.registry) == runs[0].started


def test_states_are_kept_with_their_counts(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml")
    world.land()
    record_states(world.registry, [DeliveryState("courts", "2013-Q2", "partial", {"read": 10, "quarantined": 2})])
    record_state(world.registry, "courts", "2013-Q2", "complete")
    with world.registry.read() as session:
        (delivery,) = read_deliveries(session)
    assert (delivery.state, delivery.read, delivery.quarantined, delivery.accepted) == ("complete", 10, 2, None)


def test_states_that_are_none_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="courts 2013-Q2: state 'fine'"):
        record_state(world.registry, "courts", "2013-Q2", "fine")
    with pytest.raises(ValueError, match="rows"):
        record_state(world.registry, "courts", "2013-Q2", "complete", {"rows": 1})
    with pytest.raises(KeyError, match="no such delivery"):
        record_state(world.registry, "courts", "2013-Q2", "complete")


def test_a_problem_is_kept_when_it_is_gone(world: World) -> None:
    path = world.put("stray.csv")
    world.land()
    world.land()
    path.unlink()
    world.land()
    world.put("stray.csv")
    world.land()
    with world.registry.read() as session:
        problems = session.scalars(select(Problem).order_by(Problem.id)).all()
    assert [(p.rule, p.file, p.resolved is None) for p in problems] == [
        ("inbox-stray-file", "stray.csv", False),
        ("inbox-stray-file", "stray.csv", True),
    ]
