"""Trying a delivery before it is sent: the same landing, reading and judging as in a run, in a folder that is gone afterwards.

Belongs here: taking one folder through the first stages by itself. Does not belong here: how findings are shown (`feedback.console`).
Nothing is kept and the home is not touched, so what only earlier deliveries
could tell (a record withdrawn, a state superseded) is not seen.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from rich.console import Console

from pipelines.assets.by_delivery import by_delivery, canonical_rows, refused
from pipelines.assets.portioning import RULES
from pipelines.current import resolve
from pipelines.errors import HarmoniaError, storage
from pipelines.failures import redact_errors
from pipelines.feedback.console import render_check
from pipelines.feedback.texts import texts
from pipelines.home import Home
from pipelines.landing import land, landed
from pipelines.registry import open_registry
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, ExceededError
from pipelines.validate import Validated, validate
from schemas import findings as found
from sources import contract
from sources.contract import DeliveryName
from sources.readers.result import SourceFile
from sources.reading import read_delivery
from sources.states import MISSING

_COSTLY = ("reject", "error")  # a row or a value is not taken as it stands


@dataclass(frozen=True)
class Trial:
    """What would become of a delivery: its state, findings (`schemas.findings.COLUMNS`), and per file state and physical rows."""

    state: str
    findings: pd.DataFrame
    files: pd.DataFrame


def name_of(folder: Path, institution: str | None, delivery: str | None) -> tuple[str, str]:
    """Whose delivery a folder is, and which: as said, else by the names of its parent and of itself.

    Raises `HarmoniaError` where neither says it.
    """
    if not folder.is_dir():
        raise HarmoniaError(f"{folder} is no folder: name the folder of one delivery, such as police/2013-Q2")
    known = contract.institutions()
    whole = folder.resolve()
    whose, which = institution or whole.parent.name, delivery or whole.name
    if whose not in known:
        said = f"institution {whose!r} is unknown" if institution else f"the folder above {folder} is no institution"
        raise HarmoniaError(f"{said}: say --institution with one of {', '.join(known)}")
    if DeliveryName.parse(which) is None:
        said = f"{which!r} is no delivery" if delivery else f"the name of {folder} is no delivery"
        raise HarmoniaError(f"{said}: say --delivery with a quarter such as 2013-Q2, or 2013-Q2_v2 for a corrected one")
    return whose, which


def attempt(folder: Path, institution: str, delivery: str) -> Trial:
    """Take the folder through landing, reading, validation, harmonising. Raises `HarmoniaError` where it cannot be copied."""
    with TemporaryDirectory(prefix="harmonia-check-") as temporary:
        root = Path(temporary)
        inbox, home = root / "inbox", Home(root / "home").create()
        with storage(root):
            shutil.copytree(folder, inbox / institution / delivery, symlinks=True, ignore_dangling_symlinks=True)
        registry = open_registry(home.registry_url)
        try:
            report = land(inbox, home, registry)
            ours = landed(registry, home)
            validated = _judged(institution, {str(one.name): tuple(one.files) for one in ours})
        finally:
            registry.close()
    current = resolve(validated)
    states = validated.files[["file", "state"]]
    every = [frame for frame in (found.frame(report.findings), current.findings) if len(frame)]
    return Trial(
        state=str(validated.deliveries["state"].iloc[0]) if len(validated.deliveries) else MISSING,
        findings=pd.concat(every, ignore_index=True) if every else found.frame(),
        files=states.merge(current.accounting.drop(columns=["institution", "delivery"]), on="file", how="left"),
    )


def _judged(institution: str, delivered: Mapping[str, tuple[SourceFile, ...]]) -> Validated:
    """What a run would make of the files, within the bounds that it has."""
    try:
        return bounded.alone(_judge, (institution, dict(delivered)), Bounds.of())
    except ExceededError as ended:
        rule, detail = RULES[ended.reason], ended.detail
        instead = {name: refused(institution, name, [f.name for f in files], rule, detail) for name, files in delivered.items()}
        return validate(institution, instead)


def _judge(asked: tuple[str, Mapping[str, tuple[SourceFile, ...]]]) -> Validated:
    """Read, validated, and harmonised for a trial: a mapping that fails is told before a run meets it."""
    institution, delivered = asked
    found = validate(institution, {name: read_delivery(institution, list(files)) for name, files in delivered.items()})
    with redact_errors(f"{institution}: harmonising", None):
        canonical_rows(institution, by_delivery(found))
    return found


def try_delivery(console: Console, folder: Path, institution: str | None, delivery: str | None, language: str | None) -> int:
    """Print what would be found in the delivery. Returns 1 where something costs a row or a value (reject, error), else 0."""
    whose, which = name_of(folder, institution, delivery)
    spoken = language or contract.load(whose).language
    if spoken not in found.LANGUAGES:
        raise HarmoniaError(f"language {spoken!r} is unknown: say one of {', '.join(found.LANGUAGES)}")
    console.print(f"[bold]{whose} {which}[/] ({folder}), tried only: nothing is landed", soft_wrap=True)
    trial = attempt(folder, whose, which)
    words = texts(spoken)
    state = ". ".join(filter(None, (words["states"][trial.state], words["state_note"].get(trial.state))))
    console.print(f"{words['delivery_state']}: {state}", soft_wrap=True, markup=False)
    console.print(render_check(trial.findings, trial.files, spoken))
    costly = int(trial.findings["severity"].isin(_COSTLY).sum())
    said = (
        f"{costly} of {len(trial.findings)} findings cost a row or a value: correct them before sending."
        if costly
        else "Nothing here costs a row or a value."
    )
    console.print(f"\n[bold]{said}[/]")
    return 1 if costly else 0
