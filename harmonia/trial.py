"""Check one delivery in a dry run: it is landed, read, validated and harmonised as in a run, but in a temporary folder.

Does not belong here: how findings are shown (`feedback.console`). The home is not used. So findings that depend on earlier deliveries,
such as a withdrawn or superseded record, are not reported.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from rich.console import Console

from harmonia.console import format_count
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.feedback.console import render_check_result
from harmonia.feedback.figures import count_own_records
from harmonia.feedback.texts import load_feedback_texts
from harmonia.home import Home
from harmonia.registry import open_registry
from pipelines.assets.delivery_batches import REFUSAL_RULES
from pipelines.assets.delivery_frames import convert_validated_deliveries_to_frames, make_canonical_rows, make_refused_delivery
from pipelines.failures import redact_errors
from pipelines.harmonisation.stage import harmonise
from pipelines.landing import land_deliveries, list_landed_deliveries
from pipelines.record_status import resolve_record_statuses
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, LimitExceededError
from pipelines.validation import ValidatedDeliveries, validate
from schemas import findings as found
from sources import contract
from sources.completeness_states import MISSING
from sources.contract import DeliveryName
from sources.readers.result import SourceFile
from sources.reading import read_delivery

_COSTLY_SEVERITIES = ("reject", "error")  # findings that cost a row or a value


@dataclass(frozen=True)
class DryRunResult:
    """The result of a dry run.

    state: the state of the delivery. findings: its findings, with the columns `schemas.findings.COLUMNS`. files: its files, with their
    states and numbers of rows. figures: what the institution would count from these records alone
    (`harmonia.feedback.figures.count_own_records`).
    """

    state: str
    findings: pd.DataFrame
    files: pd.DataFrame
    figures: pd.DataFrame


def find_delivery_name(folder: Path, institution: str | None, delivery: str | None) -> tuple[str, str]:
    """Return institution and name of the delivery in `folder`.

    If they are not given, they are the name of the parent folder and the name of the folder. Raises `HarmoniaError` if they are not
    valid.
    """
    if not folder.is_dir():
        raise HarmoniaError(f"{folder} is not a folder: name the folder of one delivery, such as police/2013-Q2")
    known_institutions = contract.institutions()
    absolute = folder.resolve()
    owner, delivery_name = institution or absolute.parent.name, delivery or absolute.name
    if owner not in known_institutions:
        problem = f"institution {owner!r} is unknown" if institution else f"the parent folder of {folder} is not an institution"
        raise HarmoniaError(f"{problem}: use --institution with one of {', '.join(known_institutions)}")
    if DeliveryName.parse(delivery_name) is None:
        problem = f"{delivery_name!r} is not a delivery name" if delivery else f"the name of {folder} is not a delivery name"
        raise HarmoniaError(f"{problem}: use --delivery with a quarter such as 2013-Q2, or 2013-Q2_v2 for a corrected one")
    return owner, delivery_name


def check_folder_in_dry_run(folder: Path, institution: str, delivery: str) -> DryRunResult:
    """Land, read, validate and harmonise a copy of the folder. Raises `HarmoniaError` if the folder cannot be copied."""
    with TemporaryDirectory(prefix="harmonia-check-") as temporary:
        root = Path(temporary)
        inbox, home = root / "inbox", Home(root / "home").create()
        with convert_storage_errors(root):
            shutil.copytree(folder, inbox / institution / delivery, symlinks=True, ignore_dangling_symlinks=True)
        registry = open_registry(home.registry_url)
        try:
            report = land_deliveries(inbox, home, registry)
            deliveries = list_landed_deliveries(registry, home)
            validated = _validate_within_limits(institution, {str(one.name): tuple(one.files) for one in deliveries})
        finally:
            registry.close()
    current = resolve_record_statuses(validated)
    states = validated.files[["file", "state"]]
    every = [frame for frame in (found.build_findings(report.findings), current.findings) if len(frame)]
    return DryRunResult(
        state=str(validated.deliveries["state"].iloc[0]) if len(validated.deliveries) else MISSING,
        findings=pd.concat(every, ignore_index=True) if every else found.build_findings(),
        files=states.merge(current.accounting.drop(columns=["institution", "delivery"]), on="file", how="left"),
        figures=count_own_records(institution, harmonise(institution, current.tables)),
    )


def _validate_within_limits(institution: str, delivered: Mapping[str, tuple[SourceFile, ...]]) -> ValidatedDeliveries:
    """Validate the files of each delivery as a run would, within the same limits of time and memory."""
    try:
        return bounded.run_bounded_task(_validate_files_of_institution, (institution, dict(delivered)), Bounds.from_environment())
    except LimitExceededError as ended:
        rule, detail = REFUSAL_RULES[ended.reason], ended.detail
        replacement = {
            name: make_refused_delivery(institution, name, [f.name for f in files], rule, detail) for name, files in delivered.items()
        }
        return validate(institution, replacement)


def _validate_files_of_institution(request: tuple[str, Mapping[str, tuple[SourceFile, ...]]]) -> ValidatedDeliveries:
    """Read and validate the files of an institution. Also harmonise them, so that an error in a mapping is found before a run.

    request: the institution, and its files by delivery.
    """
    institution, delivered = request
    validated = validate(institution, {name: read_delivery(institution, list(files)) for name, files in delivered.items()})
    with redact_errors(f"{institution}: harmonising", None):
        make_canonical_rows(institution, convert_validated_deliveries_to_frames(validated))
    return validated


def check_delivery(console: Console, folder: Path, institution: str | None, delivery: str | None, language: str | None) -> int:
    """Run a dry run and print its findings.

    Returns the exit code: 1 if there is a finding because of which a row or value does not count (reject or error), otherwise 0.
    """
    owner, delivery_name = find_delivery_name(folder, institution, delivery)
    message_language = language or contract.load(owner).language
    if message_language not in found.LANGUAGES:
        raise HarmoniaError(f"language {message_language!r} is unknown: use one of {', '.join(found.LANGUAGES)}")
    console.print(f"[bold]{owner} {delivery_name}[/] ({folder}). Dry run: nothing was ingested", soft_wrap=True)
    trial = check_folder_in_dry_run(folder, owner, delivery_name)
    words = load_feedback_texts(message_language)
    state = ". ".join(filter(None, (words["states"][trial.state], words["state_note"].get(trial.state))))
    console.print(f"{words['delivery_state']}: {state}", soft_wrap=True, markup=False)
    console.print(render_check_result(trial.findings, trial.files, message_language))
    costly = int(trial.findings["severity"].isin(_COSTLY_SEVERITIES).sum())
    verdict = (
        f"{costly} of {format_count(len(trial.findings), 'finding')} cost a row or a value: correct them before sending."
        if costly
        else "No finding costs a row or a value."
    )
    console.print(f"\n[bold]{verdict}[/]")
    return 1 if costly else 0
