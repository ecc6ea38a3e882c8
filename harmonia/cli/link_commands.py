"""`harmonia link …`: options and output.

Does not belong here: what the commands do. This file is outside the package `pipelines.linkage`, because importing that package is slow;
the commands import it, and other heavy modules, only when they run.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.user import find_current_user
from pipelines.resources.workplace import Workplace

app = typer.Typer(help="Linkage model: train, verify; score pairs on Spark.", no_args_is_help=True)


class TrainingSource(StrEnum):
    """What a linkage model is trained on."""

    unlabelled = "unlabelled"
    judgements = "judgements"
    simulated = "simulated"


@app.command("train")
def train_linkage_model(
    source: Annotated[
        TrainingSource,
        typer.Option(
            "--from",
            envvar="HARMONIA_TRAIN_FROM",
            help="unlabelled: records of a home; judgements: also stewards' judgements; simulated: sets with ground truth.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="Model file to write; its name is the version.")],
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home with the training records.")] = None,
    registry_url: Annotated[
        str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database.")
    ] = None,
    simulated: Annotated[
        list[Path] | None,
        typer.Option("--simulated", envvar="HARMONIA_SIMULATED", help="Output folder of `harmonia simulate`; repeatable."),
    ] = None,
) -> None:
    """Train a model, starting from the shipped one, and write it to a new file. Use it with `harmonia run --model`."""
    from harmonia import training

    if source is TrainingSource.simulated:
        if not simulated:
            raise HarmoniaError("--from simulated requires --simulated DIR, once per set")
        material = training.collect_training_data_from_simulated_sets(simulated)
    else:
        if simulated:
            raise HarmoniaError(f"--simulated requires --from simulated, not --from {source.value}")
        material = training.collect_training_data_from_home(
            Workplace.from_paths(None, home, registry_url), include_judgements=source is TrainingSource.judgements
        )
    version = training.train_model_to_file(material, out, find_current_user())
    typer.echo(f"Wrote model {version} to {out}. Next: harmonia run --model {out}")


@app.command("verify")
def verify_linkage_model(
    model: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Model file. Default: HARMONIA_MODEL, else the shipped model.")
    ] = None,
) -> None:
    """Verify a model file and show its training data. Exit 1 if it cannot be used."""
    from pipelines.linkage.model import load_linkage_model

    loaded = load_linkage_model(model)
    typer.echo(f"{loaded.version}: valid, {len(loaded.fields)} person fields, {len(loaded.evidence)} types of case evidence")
    for half, provenance in loaded.provenance.items():
        typer.echo(f"  {half}: " + "; ".join(f"{key} {value}" for key, value in provenance.items()))
    watched = ", ".join(loaded.expected) or "nothing: the model has no expected shares; train a new one"
    typer.echo(f"  drift is monitored for {watched}")


@app.command("spark")
def score_person_pairs_on_spark(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="New folder for the pairs (Parquet).")],
    master: Annotated[str, typer.Option("--master", envvar="HARMONIA_SPARK", help="Spark master. Default: this machine.")] = "local[*]",
    model: Annotated[Path | None, typer.Option("--model", envvar="HARMONIA_MODEL", help="Model file. Default: the shipped model.")] = None,
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home whose records to compare.")] = None,
) -> None:
    """Score candidate pairs of persons with Splink on Spark; write keys and match weights, no names. `run --spark` scores alike."""
    from pipelines.linkage.blocking import group_records_by_blocking_keys
    from pipelines.linkage.decisions import look_up_record_keys
    from pipelines.linkage.model import load_linkage_model
    from pipelines.linkage.score import PairScorer
    from pipelines.linkage.spark import WEIGHT_COLUMN, SplinkOnSpark
    from pipelines.linkage.standardise import build_linkage_records
    from pipelines.resources import lake

    folder, out = Workplace.from_paths(None, home).home.lake / "canonical", out.expanduser().absolute()
    if not folder.is_dir():
        raise HarmoniaError(f"{folder} does not exist: run `harmonia run` first")
    if out.exists():
        raise HarmoniaError(f"{out} already exists: name a new folder with --out")
    loaded, persons = load_linkage_model(model), build_linkage_records(lake.read_tables(folder)).persons
    scorer = PairScorer.make_for_persons(persons, loaded)
    pairs = (
        SplinkOnSpark.for_master(master)
        .find_pairs_above_weight(persons, group_records_by_blocking_keys(persons).groups, loaded, scorer)
        .rename(columns={"left": "a", "right": "b"})
    )
    out.mkdir(parents=True)
    look_up_record_keys(pairs, persons).assign(**{WEIGHT_COLUMN: pairs["weight"]}).to_parquet(out / "pairs.parquet", index=False)
    typer.echo(
        f"Wrote {format_count(len(pairs), 'pair')} of {format_count(len(persons), 'person record')} to {out}, scored by {loaded.version}."
    )
