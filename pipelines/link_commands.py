"""`harmonia link …`: training a model, verifying one.

Belongs here: options and output. Does not belong here: what the commands do; heavy modules are imported inside, and so is the package
`pipelines.linkage`, in which this file for that reason does not lie.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import HarmoniaError
from pipelines.resources.workplace import Workplace
from pipelines.user import this_user

app = typer.Typer(help="The linkage model: train a new one, verify one; pairs on Spark.", no_args_is_help=True)


class Source(StrEnum):
    """What a model is trained on."""

    unlabelled = "unlabelled"
    judgements = "judgements"
    simulated = "simulated"


@app.command()
def train(
    source: Annotated[
        Source,
        typer.Option(
            "--from",
            envvar="HARMONIA_TRAIN_FROM",
            help="unlabelled: a home's records; judgements: also stewards' judgements; simulated: sets with their truth.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="Model file to write; its name is the version.")],
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home whose records to learn from.")] = None,
    registry_url: Annotated[
        str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database.")
    ] = None,
    simulated: Annotated[
        list[Path] | None, typer.Option("--simulated", envvar="HARMONIA_SIMULATED", help="Folder of `harmonia simulate`; may be repeated.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", envvar="HARMONIA_BY", help="Who trains it. Default: the system's user.")] = None,
) -> None:
    """Train a new model from the shipped one and write it to a file of its own; nothing uses it until --model names it."""
    from pipelines import training as trainer

    if source is Source.simulated:
        if not simulated:
            raise HarmoniaError("--from simulated needs --simulated DIR, once for each set")
        material = trainer.of_simulated(simulated)
    else:
        if simulated:
            raise HarmoniaError(f"--simulated goes with --from simulated, not with --from {source.value}")
        material = trainer.of_home(Workplace.of(None, home, registry_url), judged=source is Source.judgements)
    version = trainer.write(material, out, by or this_user())
    typer.echo(f"{version} is in {out}. Next: harmonia run --model {out}")


@app.command()
def verify(
    model: Annotated[Path | None, typer.Argument(metavar="FILE", help="Model file. Default: HARMONIA_MODEL, else the one shipped.")] = None,
) -> None:
    """Verify a model file and show what it was trained on. Exit 1 when it cannot be used."""
    from pipelines.linkage.model import load_model

    found = load_model(model)
    typer.echo(f"{found.version}: valid, {len(found.fields)} fields of persons, {len(found.evidence)} kinds of evidence on cases")
    for half, provenance in found.provenance.items():
        typer.echo(f"  {half}: " + "; ".join(f"{key} {value}" for key, value in provenance.items()))
    watched = ", ".join(found.expected) or "nothing: this model has no expected shares; train a new one"
    typer.echo(f"  drift is monitored for {watched}")


@app.command()
def spark(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="New folder for the pairs, as Parquet.")],
    master: Annotated[str, typer.Option("--master", envvar="HARMONIA_SPARK", help="Spark's master. Default: this machine.")] = "local[*]",
    model: Annotated[Path | None, typer.Option("--model", envvar="HARMONIA_MODEL", help="Model file. Default: the one shipped.")] = None,
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home whose records to compare.")] = None,
) -> None:
    """Score candidate pairs of persons by Splink on Spark; write keys and weights, no name. `run --spark` decides from such pairs."""
    from pipelines.linkage.blocking import share
    from pipelines.linkage.decisions import keys_of
    from pipelines.linkage.model import load_model
    from pipelines.linkage.score import Scorer
    from pipelines.linkage.spark import WEIGHT, Spark
    from pipelines.linkage.standardise import standardise
    from pipelines.resources import lake

    folder, out = Workplace.of(None, home).home.lake / "canonical", out.expanduser().absolute()
    if not folder.is_dir():
        raise HarmoniaError(f"{folder} does not exist: run `harmonia run` first")
    if out.exists():
        raise HarmoniaError(f"{out} already exists: name a new folder with --out")
    found, persons = load_model(model), standardise(lake.read(folder)).persons
    scorer = Scorer.of(persons, found)
    pairs = Spark.at(master).close(persons, share(persons).groups, found, scorer).rename(columns={"left": "a", "right": "b"})
    out.mkdir(parents=True)
    keys_of(pairs, persons).assign(**{WEIGHT: pairs["weight"]}).to_parquet(out / "pairs.parquet", index=False)
    typer.echo(f"{len(pairs)} pairs of {len(persons)} person records are in {out}, scored by {found.version}.")
