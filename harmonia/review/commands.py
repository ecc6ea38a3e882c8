"""`harmonia review …`: the commands for stewards.

Belongs here: options and output of the review commands. Does not belong here: what they do. Heavy modules are imported inside the
commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.console import format_count, make_console, print_frame
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder, RegistryUrl
from harmonia.user import find_acting_account
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from harmonia.registry import Registry
    from harmonia.review.published import PublishedRun

app = typer.Typer(help="Review of doubtful pairs by stewards; estimates of precision and recall.", no_args_is_help=True)


class Verdict(StrEnum):
    """The verdicts of a steward on a pair."""

    same = "same"
    different = "different"
    unsure = "unsure"
    withdrawn = "withdrawn"


class Entity(StrEnum):
    """The kind of the two records of a pair: cases or persons."""

    case = "case"
    person = "person"


Of = Annotated[Entity | None, typer.Option("--entity", envvar="HARMONIA_ENTITY", help="Only cases, or only persons.")]
Names = Annotated[
    bool, typer.Option("--names", envvar="HARMONIA_NAMES", help="Show names and numbers, for stewards; recorded in the audit log.")
]
All = Annotated[bool, typer.Option("--all", envvar="HARMONIA_ALL", help="Include pairs already judged.")]
Limit = Annotated[int, typer.Option("--limit", envvar="HARMONIA_LIMIT", min=1, help="Greatest number of pairs.")]
SampleNumber = Annotated[int | None, typer.Option("--sample", envvar="HARMONIA_SAMPLE", help="Number of a blind sample.")]


@contextmanager
def _open_run(home: Path | None, registry_url: str | None) -> Iterator[tuple[PublishedRun, Registry]]:
    from harmonia.review.published import find_last_published_run, open_home_registry

    workplace = Workplace.from_paths(None, home, registry_url)
    registry = open_home_registry(workplace)
    try:
        yield find_last_published_run(workplace.home, registry), registry
    finally:
        registry.close()


@app.command("list")
def list_pairs(
    home: HomeFolder = None, registry_url: RegistryUrl = None, entity: Of = None, limit: Limit = 20, everything: All = False
) -> None:
    """List the doubtful pairs, those first that affect most published figures."""
    from harmonia.review.queue import list_doubtful_pairs

    with _open_run(home, registry_url) as (published_run, registry):
        pairs = list_doubtful_pairs(published_run, registry, everything)
    pairs = pairs if entity is None else pairs[pairs["entity"] == entity.value]
    if pairs.empty:
        typer.echo("No pair is in doubt. `harmonia review list --all` includes pairs already judged.")
        return
    shown = pairs.head(limit).assign(
        a=lambda f: f["institution_a"] + " " + f["key_a"], b=lambda f: f["institution_b"] + " " + f["key_b"], influence=lambda f: f["moves"]
    )
    columns = ["pair", "a", "b", "weight", "decision", "contradiction", "influence", "touched", "state"]
    title = f"{len(shown)} of {format_count(len(pairs), 'pair')}; influence: estimate of how many figures the opposite decision changes"
    print_frame(shown[columns], "", title)
    make_console(markup=False).print("Show one: harmonia review show PAIR", soft_wrap=True)


@app.command("show")
def show_pair(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `list`, or person:police:KEY~courts:KEY.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    names: Names = False,
    blind: Annotated[bool, typer.Option("--blind", envvar="HARMONIA_BLIND", help="Hide weight and decision.")] = False,
) -> None:
    """Show the two records of a pair side by side, with the weight of the evidence."""
    from harmonia.audit import record_access
    from harmonia.review.judgements import read_judgements
    from harmonia.review.naming import find_requested_pair
    from harmonia.review.pair_texts import describe_evidence, describe_pair
    from harmonia.review.pairs import PAIR, compute_pair_ids, parse_pair

    with _open_run(home, registry_url) as (published_run, registry):
        pair_row = find_requested_pair(published_run, registry, parse_pair(pair))
        name = str(compute_pair_ids(pair_row).iloc[0])
        if names:
            record_access(registry, find_acting_account(published_run.home.root), "looked at names for review", name)
        print_frame(describe_pair(published_run, pair_row, names), "", name)
        if not blind:
            make_console(markup=False).print(describe_evidence(published_run, pair_row), soft_wrap=True)
            judgements = read_judgements(registry).merge(pair_row, on=PAIR)
            if len(judgements):
                judgements["decided_at"] = judgements["decided_at"].map(lambda moment: f"{moment:%Y-%m-%d %H:%M}")
                print_frame(judgements[["verdict", "steward", "decided_at", "why"]], "", "Judgements, latest last")


@app.command("preview")
def preview_verdict_on_pair(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `list`, or person:police:KEY~courts:KEY.")],
    verdict: Annotated[Verdict, typer.Argument(help="The verdict to try.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Show what a verdict would change: cases or persons, and published figures. Enters nothing."""
    from harmonia.review.consequence import VerdictPreviews
    from harmonia.review.naming import find_requested_pair
    from harmonia.review.pair_texts import list_changed_figures, list_changed_records
    from harmonia.review.pairs import parse_pair

    with _open_run(home, registry_url) as (published_run, registry):
        consequences = VerdictPreviews(published_run, registry)
        try:
            result = consequences.preview_verdict(
                find_requested_pair(published_run, registry, parse_pair(pair)), verdict.value, find_acting_account(published_run.home.root)
            )
        finally:
            consequences.close()
    print_frame(list_changed_records(result), "", "Cases and persons before and after")
    if len(result.figures):
        print_frame(list_changed_figures(result), "", f"{format_count(len(result.figures), 'published figure')} would change")
    else:
        typer.echo("No published figure would change.")
    if result.is_disputed:
        typer.echo(f"`{verdict.value}` would make the pair disputed: no judgement on it would count.")
    elif not result.is_effective and verdict in (Verdict.same, Verdict.different):
        typer.echo(f"`{verdict.value}` would have no effect: it contradicts other judgements.")
    typer.echo("Nothing was entered. Enter it: harmonia review decide PAIR VERDICT --why REASON")


@app.command("decide")
def enter_verdict_on_pair(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `list`, or person:police:KEY~courts:KEY.")],
    verdict: Annotated[Verdict, typer.Argument(help="`withdrawn` withdraws your earlier judgement.")],
    why: Annotated[str, typer.Option("--why", envvar="HARMONIA_WHY", help="The reason, without names of persons.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    blind: Annotated[bool, typer.Option("--blind", envvar="HARMONIA_BLIND", help="You saw neither weight nor decision.")] = False,
) -> None:
    """Enter a judgement. It applies from the next run on, until you enter another."""
    from harmonia.review import deciding
    from harmonia.review.judgements import normalise_steward_or_reason, read_judgements
    from harmonia.review.naming import find_requested_pair
    from harmonia.review.pair_texts import describe_verdict
    from harmonia.review.pairs import parse_pair

    reason = normalise_steward_or_reason("why", why)
    with _open_run(home, registry_url) as (published_run, registry):
        pair_row = find_requested_pair(published_run, registry, parse_pair(pair))
        is_new = deciding.enter_verdict(
            published_run, registry, pair_row, verdict.value, find_acting_account(published_run.home.root), reason, blind=blind
        )
        typer.echo("Judgement entered." if is_new else "The same judgement exists already; nothing was entered.")
        for line in describe_verdict(read_judgements(registry), pair_row):
            typer.echo(line)


@app.command("export")
def export_pairs_to_workbook(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="Workbook to write; must not exist.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    entity: Of = None,
    limit: Limit = 200,
    everything: All = False,
    sample: SampleNumber = None,
    names: Names = False,
) -> None:
    """Write a workbook for stewards with the doubtful pairs or, with --sample, a blind sample."""
    from harmonia.review import exchange
    from harmonia.review.queue import list_doubtful_pairs
    from harmonia.review.sampling import find_sample_number

    with _open_run(home, registry_url) as (published_run, registry):
        if sample is not None:
            pairs = exchange.list_pairs_of_sample(registry, find_sample_number(registry, sample), everything)
        else:
            pairs = list_doubtful_pairs(published_run, registry, everything).drop(columns=["pair", "state", "touched", "reasons"])
        pairs = pairs if entity is None else pairs[pairs["entity"] == entity.value]
        pairs = pairs if sample is not None else pairs.head(limit)
        written = exchange.export_pairs(
            published_run, registry, file, pairs, sample or 0, names, find_acting_account(published_run.home.root) if names else ""
        )
    typer.echo(f"{format_count(written, 'pair')} written to {file}. Fill in verdict, why and steward, then: harmonia review import {file}")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="A workbook written by `export` and filled in.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Import the judgements of a workbook. Exit code 1 if a row with a verdict was refused."""
    from harmonia.review.exchange import import_judgements
    from harmonia.review.judgements import read_judgements
    from harmonia.review.pair_texts import describe_contradictions

    with _open_run(home, registry_url) as (published_run, registry):
        done = import_judgements(published_run, registry, file)
        clashes = describe_contradictions(read_judgements(registry))
    typer.echo(
        f"{format_count(done.entered, 'judgement')} entered, {done.known} already known, {format_count(done.open, 'row')} without a "
        f"verdict, {len(done.refused)} refused."
    )
    for row in done.refused.itertuples(index=False):
        typer.echo(f"row {row.row} [{row.pair}]: {row.why_not}")
    for line in clashes:
        typer.echo(line)
    if len(done.refused):
        raise typer.Exit(1)


@app.command("sample")
def draw_blind_sample(
    pairs: Annotated[int, typer.Option("--pairs", envvar="HARMONIA_PAIRS", min=1, max=100_000, help="Number of pairs to draw.")] = 300,
    seed: Annotated[int, typer.Option("--seed", envvar="HARMONIA_SEED", min=0, help="The same run and seed give the same pairs.")] = 1,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    entity: Of = None,
) -> None:
    """Draw a blind sample of candidate pairs, stratified by weight, for stewards to label."""
    from harmonia.review.pairs import ENTITIES
    from harmonia.review.sampling import draw_sample as draw

    with _open_run(home, registry_url) as (published_run, registry):
        drawn = draw(published_run, registry, pairs, seed, ENTITIES if entity is None else (entity.value,))
    out = drawn.left_out
    screen = make_console(markup=False)
    screen.print(
        f"Sample {drawn.sample}: {len(drawn.pairs)} of {int(drawn.strata['pairs'].sum())} pairs. Not candidates: {out['forbidden']} "
        f"excluded by a hard rule, {out['nothing_shared']} without a common blocking key and of negligible weight.",
        soft_wrap=True,
    )
    screen.print(f"Next: harmonia review export --sample {drawn.sample} FILE.xlsx --names", soft_wrap=True)


@app.command("estimate")
def estimate_linkage_accuracy(home: HomeFolder = None, registry_url: RegistryUrl = None, sample: SampleNumber = None) -> None:
    """Estimate precision and recall of the published linkage from a blind sample, with 95 % intervals."""
    from harmonia.review.estimating import estimate_accuracy as measure
    from harmonia.review.exchange import count_judged_pairs
    from harmonia.review.sampling import count_labels, find_sample_number

    with _open_run(home, registry_url) as (published_run, registry):
        number = find_sample_number(registry, sample)
        judged, drawn = count_judged_pairs(registry, number)
        if judged == 0:
            raise HarmoniaError(
                f"no pair of sample {number} was judged yet: use harmonia review export --sample {number} FILE.xlsx, fill it in, import it"
            )
        figures = measure(count_labels(registry, number))
    for name in ("estimate", "low", "high"):
        figures[name] = figures[name].map(lambda v: f"{v:.4f}" if v == v else "unknown")
    out = make_console(markup=False)
    title = f"Sample {number}: {judged} of {drawn} pairs judged; 95 % interval from low to high"
    print_frame(figures, "", title)
    out.print(
        "For the linkage as published when the sample was drawn. Recall is over candidate pairs: pairs without a common blocking key "
        f"are not included. {_describe_dropped_blocks(published_run)}",
        soft_wrap=True,
    )


def _describe_dropped_blocks(published_run: PublishedRun) -> str:
    """Say in one sentence which blocking values the last run dropped because too many records share them."""
    import json

    plain = json.loads(str(published_run.read_lake_table("links", "_items")["plain"].iloc[0])).get("statistics", {})
    refused = int(plain.get("blocking_values_refused", 0))
    if not refused:
        return "Blocking dropped no values in the last run."
    pairs = int(plain.get("blocking_pairs_refused", 0))
    return (
        f"In the last run blocking dropped {format_count(refused, 'value')} shared by too many records, with {format_count(pairs, 'pair')}."
    )
