"""List the exports, and write one of them: protected figures for everyone, or full (exact) figures for one recipient.

Belongs here: the list of exports, the files of each export, logging transmissions. Does not belong here: the content of each format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError, convert_storage_errors
from pipelines.resources.workplace import Workplace
from schemas import domain_folder
from warehouse.exports import package, questionnaires, sdmx, transmission, workbook
from warehouse.exports.questionnaires import Questionnaire
from warehouse.exports.transmission_approval import Transmission, verify_approval
from warehouse.releases.reading import Release, compute_release_hash, open_release, require_language

Files = dict[str, bytes]
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_TITLES = {
    "package": {"sq": "Pako e të dhënave: CSV dhe Parquet", "sr": "Paket podataka: CSV i Parquet", "en": "Data package: CSV and Parquet"},
    "sdmx": {
        "sq": "SDMX-ML 2.1: struktura dhe të dhënat",
        "sr": "SDMX-ML 2.1: struktura i podaci",
        "en": "SDMX-ML 2.1: structure and data",
    },
    "htcds": {
        "sq": "Viktimat në fushat e HTCDS (IC-TIP)",
        "sr": "Žrtve u poljima HTCDS (IC-TIP)",
        "en": "Victims in the fields of HTCDS (IC-TIP)",
    },
}


@dataclass(frozen=True)
class Export:
    """An export. public: the function that creates the protected files of the export, or None if there are none. exact: the function that
    creates its full files, or None if there are none."""

    name: str
    titles: Mapping[str, str]
    public: Callable[[Release, str], Files] | None
    exact: Callable[[Path, Release, str, str], Files] | None

    def title(self, lang: str) -> str:
        """Return the title of the export in `lang`. Raises `HarmoniaError` for an unknown language."""
        return self.titles[require_language(lang)]

    @property
    def available_kinds(self) -> str:
        """Return the kinds in which the export exists: `public`, `full`, or `public and full`."""
        return " and ".join(kind for kind, create_files in (("public", self.public), ("full", self.exact)) if create_files)


@cache
def list_declared_exports() -> Mapping[str, Export]:
    """Return all exports by name: the data package, SDMX, a workbook for each questionnaire of the domain, and, if the domain declares it,
    a list of victims with the fields of the standard HTCDS."""
    listed = [
        Export("package", _TITLES["package"], lambda release, _: package.make_files_of_data_package(release), None),
        Export("sdmx", _TITLES["sdmx"], lambda release, _: sdmx.make_sdmx_files(release), None),
        *(_make_export_of_questionnaire(q) for q in questionnaires.questionnaires().values()),
        *(
            [Export("htcds", _TITLES["htcds"], None, _make_victim_files)]
            if domain_folder.find_path_in_domain("htcds.yaml").is_file()
            else []
        ),
    ]
    return {export.name: export for export in listed}


def _make_export_of_questionnaire(questionnaire: Questionnaire) -> Export:
    def public(release: Release, lang: str) -> Files:
        answers = questionnaires.answer_questionnaire(questionnaire, questionnaires.make_reader_of_protected_figures(release, lang), lang)
        content = workbook.make_workbook(questionnaire, answers, release, lang, compute_release_hash(release))
        return {f"{questionnaire.code}-{lang}.xlsx": content}

    def exact(releases: Path, release: Release, lang: str, approval: str) -> Files:
        answers = questionnaires.answer_questionnaire(
            questionnaire, transmission.make_reader_of_exact_figures(releases, release, lang), lang
        )
        content = workbook.make_workbook(questionnaire, answers, release, lang, compute_release_hash(release), approval)
        return {f"{questionnaire.code}-{lang}-CONFIDENTIAL.xlsx": content}

    return Export(questionnaire.code, questionnaire.title, public, exact)


def _make_victim_files(releases: Path, release: Release, lang: str, approval: str) -> Files:
    return {
        "htcds-CONFIDENTIAL.csv": transmission.make_htcds_victim_rows(releases, release).to_csv(index=False, lineterminator="\n").encode()
    }


def _find_export(name: str) -> Export:
    if name not in list_declared_exports():
        raise HarmoniaError(f"there is no export {name!r}: one of {', '.join(list_declared_exports())}")
    return list_declared_exports()[name]


def publish_export(releases: Path, name: str, day: str | None, lang: str, out: Path) -> list[Path]:
    """Write the protected files of an export to the folder `out`.

    Raises `HarmoniaError` if the export or language is unknown, or if the release is missing or was modified.
    """
    export = _find_export(name)
    if export.public is None:
        raise HarmoniaError(
            f"{name} contains individual persons and is never public: use --full with the coordinator's approval, for one recipient"
        )
    files = export.public(open_release(releases, day), require_language(lang))
    return _write_files(out, files)


def make_transmission_to_approve(releases: Path, name: str, day: str | None, recipient: str) -> Transmission:
    """Return the transmission of a full export that the coordinator is to approve.

    Raises `HarmoniaError` if the export has no full version.
    """
    return _open_release_with_transmission(releases, name, day, recipient)[1]


def _open_release_with_transmission(releases: Path, name: str, day: str | None, recipient: str) -> tuple[Release, Transmission]:
    if _find_export(name).exact is None:
        raise HarmoniaError(f"{name} is public only: it has no full form")
    release = open_release(releases, day)
    return release, Transmission(name, release.name, compute_release_hash(release), recipient)


def write_full_export(
    workplace: Workplace, name: str, day: str | None, lang: str, out: Path, recipient: str | None, approval_file: Path | None
) -> list[Path]:
    """Write the full files of an export for `recipient` to the folder `out`. The transmission is logged in the registry before.

    Raises `HarmoniaError` if no recipient is named, if this transmission is not approved, if the export or language is unknown, or if the
    registry cannot be written.
    """
    if not recipient:
        raise HarmoniaError(f"{name} in full goes to one recipient: name it with --recipient")
    releases = workplace.home.releases
    release, requested = _open_release_with_transmission(releases, name, day, recipient)
    approval = verify_approval(workplace.home.root, approval_file, requested)
    create_files = _find_export(name).exact
    assert create_files is not None  # refused above
    files = create_files(releases, release, require_language(lang), f"{approval.name}, {approval.day}; {recipient}")
    transmission.log_transmission(workplace, requested, approval)
    return _write_files(out, files, private=True)


def _write_files(folder: Path, files: Files, private: bool = False) -> list[Path]:
    with convert_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if private:
            folder.chmod(_PRIVATE_FOLDER)
    for name, content in files.items():
        write_small_file(folder / name, content, _PRIVATE_FILE if private else 0o644)
    return [folder / name for name in files]
