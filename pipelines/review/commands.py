"""`harmonia review …`: what a steward types and reads.

Belongs here: options and output of the review commands. Does not belong here: what they do; heavy modules are imported inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import console, print_frame
from pipelines.errors import HarmoniaError
from pipelines.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace
from pipelines.user import this_user

if TYPE_CHECKING:
    from pipelines.registry import Registry
    from pipelines.review.published import Published

app = typer.Typer(help="Doubtful pairs for stewards: look, decide, and measure precision and recall.", no_args_is_help=True)


class Verdict(StrEnum):
    """What a steward may say about a pair."""

    same = "same"
    different = "different"
    unsure = "unsure"
    withdrawn = "withdrawn"


class Entity(StrEnum):
    """Of what the two records speak."""

    case = "case"
    person = "person"


Of = Annotated[Entity | None, typer.Option("--entity", envvar="HARMONIA_ENTITY", help="Only cases, or only persons.")]
Names = Annotated[
    bool, typer.Option("--names", envvar="HARMONIA_NAMES", help="Show names and numbers, for stewards; noted in the audit log.")
]
Who = Annotated[str | None, typer.Option("--by", envvar="HARMONIA_BY", help="Who you are. Default: the system's user.")]
All = Annotated[bool, typer.Option("--all", envvar="HARMONIA_ALL", help="Also those that are judged already.")]
Limit = Annotated[int, typer.Option("--limit", envvar="HARMONIA_LIMIT", min=1, help="At most so many pairs.")]
SampleNumber = Annotated[int | None, typer.Option("--sample", envvar="HARMONIA_SAMPLE", help="Number of a blind sample.")]


@contextmanager
def _opened(home: Path | None, registry_url: str | None) -> Iterator[tuple[Published, Registry]]:
    from pipelines.review.published import opened, published

    workplace = Workplace.of(None, home, registry_url)
    registry = opened(workplace)
    try:
        yield published(workplace.home, registry), registry
    finally:
        registry.close()


def _who(by: str | None) -> str:
    from pipelines.review.judgements import cleaned

    try:
        return cleaned("steward", by or this_user())
    except (KeyError, OSError):
        raise HarmoniaError("the system does not say who you are: name yourself with --by") from None


@app.command("list")
def list_pairs(
    home: HomeFolder = None, registry_url: RegistryUrl = None, entity: Of = None, limit: Limit = 20, everything: All = False
) -> None:
    """List the pairs in doubt, those first that could move most published figures."""
    from pipelines.review.queue import queue

    with _opened(home, registry_url) as (found, registry):
        pairs = queue(found, registry, everything)
    pairs = pairs if entity is None else pairs[pairs["entity"] == entity.value]
    if pairs.empty:
        typer.echo("No pair is in doubt. `harmonia review list --all` also shows those that were judged.")
        return
    shown = pairs.head(limit).assign(
        a=lambda f: f["institution_a"] + " " + f["key_a"], b=lambda f: f["institution_b"] + " " + f["key_b"], figures=lambda f: f["moves"]
    )
    columns = ["pair", "a", "b", "weight", "decision", "contradiction", "figures", "touched", "state"]
    title = f"{len(shown)} of {len(pairs)} pairs; figures: how many published figures the other decision would move"
    print_frame(shown[columns], "", title)
    console(markup=False).print("Look at one: harmonia review show PAIR", soft_wrap=True)


@app.command()
def show(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `list`, or person:police:KEY~courts:KEY.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    names: Names = False,
    blind: Annotated[bool, typer.Option("--blind", envvar="HARMONIA_BLIND", help="Without weight and decision.")] = False,
    by: Who = None,
) -> None:
    """Show the two records of a pair side by side, with the weight of each piece of evidence."""
    from pipelines.audit import line
    from pipelines.review.judgements import read
    from pipelines.review.naming import resolve
    from pipelines.review.pairs import PAIR, pair_ids, parse
    from pipelines.review.showing import evidence, records

    with _opened(home, registry_url) as (found, registry):
        one = resolve(found, registry, parse(pair))
        name = str(pair_ids(one).iloc[0])
        if names:
            line(registry, _who(by), "looked at names for review", name)
        print_frame(records(found, one, names), "", name)
        if not blind:
            console(markup=False).print(evidence(found, one), soft_wrap=True)
            said = read(registry).merge(one, on=PAIR)
            if len(said):
                said["decided_at"] = said["decided_at"].map(lambda moment: f"{moment:%Y-%m-%d %H:%M}")
                print_frame(said[["verdict", "steward", "decided_at", "why"]], "", "What stewards said, latest last")


@app.command()
def decide(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `list`, or person:police:KEY~courts:KEY.")],
    verdict: Annotated[Verdict, typer.Argument(help="`withdrawn` takes back what you said before.")],
    by: Annotated[str, typer.Option("--by", envvar="HARMONIA_BY", help="Who judges.")],
    why: Annotated[str, typer.Option("--why", envvar="HARMONIA_WHY", help="The reason; no names of persons.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    blind: Annotated[bool, typer.Option("--blind", envvar="HARMONIA_BLIND", help="You saw neither weight nor decision.")] = False,
) -> None:
    """Enter a judgement. It holds from the next run on, through every later one; undo it with another."""
    from pipelines.review.judgements import cleaned, enter, read
    from pipelines.review.naming import resolve
    from pipelines.review.pairs import PAIR, parse
    from pipelines.review.showing import standing

    who, reason = cleaned("steward", by), cleaned("why", why)
    with _opened(home, registry_url) as (found, registry):
        one = resolve(found, registry, parse(pair))
        weight = found.decisions().merge(one, on=PAIR)["weight"]
        said = one.assign(
            verdict=verdict.value,
            steward=who,
            why=reason,
            model=found.model,
            weight=float(weight.iloc[0]) if len(weight) else None,
            blind=blind,
            origin=None,
        )
        fresh = bool(enter(registry, said).iloc[0])
        typer.echo("Entered." if fresh else "You said so already; nothing was entered.")
        for line in standing(read(registry), one):
            typer.echo(line)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="Workbook to write; it must not exist yet.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    entity: Of = None,
    limit: Limit = 200,
    everything: All = False,
    sample: SampleNumber = None,
    names: Names = False,
    by: Who = None,
) -> None:
    """Write a workbook for stewards: the pairs in doubt, or with --sample the pairs of a blind sample."""
    from pipelines.review import exchange
    from pipelines.review.queue import queue
    from pipelines.review.sampling import chosen

    with _opened(home, registry_url) as (found, registry):
        if sample is not None:
            pairs = exchange.of_sample(registry, chosen(registry, sample), everything)
        else:
            pairs = queue(found, registry, everything).drop(columns=["pair", "state", "touched", "reasons"])
        pairs = pairs if entity is None else pairs[pairs["entity"] == entity.value]
        pairs = pairs if sample is not None else pairs.head(limit)
        written = exchange.export(found, registry, file, pairs, sample or 0, names, _who(by) if names else "")
    typer.echo(f"{written} pairs are in {file}. Fill in verdict, why and steward, then: harmonia review import {file}")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="A workbook that `export` wrote and stewards filled in.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Take the judgements of a workbook. Exit 0 when every row with a verdict was taken, 1 when some could not be."""
    from pipelines.review.exchange import bring_in
    from pipelines.review.judgements import read
    from pipelines.review.showing import contradictory

    with _opened(home, registry_url) as (found, registry):
        done = bring_in(found, registry, file)
        clashes = contradictory(read(registry))
    typer.echo(
        f"{done.entered} judgements entered, {done.known} known already, {done.open} rows without a verdict, {len(done.refused)} refused."
    )
    for row in done.refused.itertuples(index=False):
        typer.echo(f"row {row.row} [{row.pair}]: {row.why_not}")
    for line in clashes:
        typer.echo(line)
    if len(done.refused):
        raise typer.Exit(1)


@app.command()
def sample(
    pairs: Annotated[int, typer.Option("--pairs", envvar="HARMONIA_PAIRS", min=1, max=100_000, help="How many to draw.")] = 300,
    seed: Annotated[int, typer.Option("--seed", envvar="HARMONIA_SEED", min=0, help="The same run and seed give the same pairs.")] = 1,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    entity: Of = None,
) -> None:
    """Draw a blind sample of candidate pairs, stratified by weight, for stewards to label."""
    from pipelines.review.pairs import ENTITIES
    from pipelines.review.sampling import sample as draw

    with _opened(home, registry_url) as (found, registry):
        drawn = draw(found, registry, pairs, seed, ENTITIES if entity is None else (entity.value,))
    out = drawn.left_out
    screen = console(markup=False)
    screen.print(
        f"Sample {drawn.sample}: {len(drawn.pairs)} of {int(drawn.strata['pairs'].sum())} pairs. No candidates are {out['forbidden']} "
        f"pairs that a hard rule keeps apart and {out['nothing_shared']} that share no blocking key and weigh next to nothing.",
        soft_wrap=True,
    )
    screen.print(f"Next: harmonia review export --sample {drawn.sample} FILE.xlsx --names", soft_wrap=True)


@app.command()
def estimate(home: HomeFolder = None, registry_url: RegistryUrl = None, sample: SampleNumber = None) -> None:
    """Say how right the published clustering is, out of the judgements on a blind sample, with 95 % intervals."""
    from pipelines.review.estimating import estimate as measure
    from pipelines.review.exchange import progress
    from pipelines.review.sampling import chosen, labels

    with _opened(home, registry_url) as (found, registry):
        number = chosen(registry, sample)
        judged, drawn = progress(registry, number)
        if judged == 0:
            raise HarmoniaError(
                f"no pair of sample {number} was judged blind yet: "
                f"harmonia review export --sample {number} FILE.xlsx, fill it in, import it"
            )
        figures = measure(labels(registry, number))
    for name in ("estimate", "low", "high"):
        figures[name] = figures[name].map(lambda v: f"{v:.4f}" if v == v else "unknown")
    out = console(markup=False)
    title = f"Sample {number}: {judged} of {drawn} pairs judged; 95 % interval from low to high"
    print_frame(figures, "", title)
    out.print(
        "Of the clustering as it was published when the sample was drawn. Recall is over candidate pairs: a pair that no blocking key "
        f"brought together is not in it. {_blocking(found)}",
        soft_wrap=True,
    )


def _blocking(found: Published) -> str:
    """What blocking refused in the last run, as a sentence."""
    import json

    plain = json.loads(str(found.table("links", "_items")["plain"].iloc[0])).get("statistics", {})
    refused = int(plain.get("blocking_values_refused", 0))
    if not refused:
        return "Blocking refused nothing in the last run."
    pairs = int(plain.get("blocking_pairs_refused", 0))
    return f"In the last run blocking refused {refused} values that too many records share, with {pairs} pairs."
