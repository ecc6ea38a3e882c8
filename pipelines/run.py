"""A complete run, as `harmonia run` starts it: the same job as on Dagster's pages, but in this process, and recorded in the home's Dagster
history.

Belongs here: opening Dagster's storage in a home, starting the job, reporting its progress to a listener, cleaning up after a failure. Does
not belong here: what the stages do, what the console shows.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TextIO
from uuid import uuid4

import dagster as dg
from sqlalchemy import update

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.lock import lock_home_for_run
from harmonia.registry import open_registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Run
from pipelines import last_run
from pipelines.asset_helpers import ROW_COUNT
from pipelines.definitions import VALUE_TYPES, build_definitions, list_assets
from pipelines.failures import describe_error, write_log
from pipelines.jobs import HARMONISE_EVERYTHING
from pipelines.progress import ProgressListener
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds
from pipelines.resources.instance import install_dagster_settings, speed_up_sqlite_writes
from pipelines.resources.lake import RunOutputs, Tables, read_version
from pipelines.resources.workplace import Workplace
from pipelines.sensors import DEATH_MESSAGE
from warehouse import postgres
from warehouse.reading import find_folder_of_current_publication

_REPOSITORY = {".dagster/repository": "__repository__@pipelines.definitions"}  # by this tag, Dagster's pages find the job of the run
_ASSETS_ALWAYS_RUN = ("landing", "warehouse")  # also run if nothing has changed: they record the run in the ledger
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class RunOutcome:
    """The result of a run that published.

    `values` has the outputs of the assets (`pipelines.resources.lake.RunOutputs`). `unchanged` is true if nothing had changed since the
    last run, so that these are the outputs of that run.
    """

    run_id: str
    seconds: float
    values: Mapping[str, Any]
    unchanged: bool


class _ProgressHandler(logging.Handler):
    """Passes Dagster's events on to a listener. `failed_checks` has the blocking checks that failed."""

    def __init__(self, listener: ProgressListener) -> None:
        super().__init__()
        self._listener = listener
        self._rows: dict[str, int] = {}
        self.failed_checks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is None or event.step_key is None:
            return
        kind = event.event_type
        if kind is dg.DagsterEventType.STEP_START:
            self._listener.on_start(event.step_key)
        elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
            counted = event.step_materialization_data.materialization.metadata.get(ROW_COUNT)
            if counted is not None:
                self._rows[event.step_key] = int(counted.value)
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.blocking:
                self.failed_checks.append(f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}")
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            self._listener.on_end(event.step_key, self._rows.get(event.step_key))


class _StderrWithoutEvents(io.TextIOBase):
    """Standard error, without Dagster's message that an event could not be stored, since this message quotes the event."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return len(text) if text.startswith("Exception while writing logger call to event log") else self._out.write(text)

    def flush(self) -> None:
        self._out.flush()


def _make_logger(handler: _ProgressHandler) -> dg.LoggerDefinition:
    """Return a Dagster logger that passes all events to `handler` and prints nothing."""

    @dg.logger({}, description="Reports the progress of the run; keeps Dagster's own lines off the console")
    def console(_: dg.InitLoggerContext) -> logging.Logger:
        log = logging.Logger("harmonia.run", logging.DEBUG)  # a separate logger, without inherited handlers
        log.addHandler(handler)
        return log

    return console


_CURRENT_JOB: ContextVar[dg.JobDefinition] = ContextVar("running")


def current_job(_: str) -> dg.JobDefinition:
    """Return the job of the current run. Dagster calls this function several times, by its name, with an id that is not needed here."""
    return _CURRENT_JOB.get()


def _build_job(workplace: Workplace, handler: _ProgressHandler) -> dg.JobDefinition:
    return build_definitions(workplace, hold_lock=False, loggers={"console": _make_logger(handler)}).resolve_job_def(HARMONISE_EVERYTHING)


@contextmanager
def _open_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's storage in the home. Mark the runs as failed that a killed process left unfinished.

    This process holds the run lock, so none of these runs can still be running.
    """
    folder = install_dagster_settings(home)
    with speed_up_sqlite_writes(folder), dg.DagsterInstance.from_config(str(folder)) as instance:
        created = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED]))
        never_started = [run for run in created if run.remote_job_origin is None]  # created by `harmonia run`, not queued for the daemon
        for run in [*instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)), *never_started]:
            instance.report_run_failed(run, DEATH_MESSAGE)
        yield instance


@contextmanager
def _set_environment(workplace: Workplace) -> Iterator[None]:
    """Within the block, set the environment variables from which Dagster's resources read the URLs of the databases."""
    before = {name: os.environ.get(name) for name in workplace.make_environment_variables()}
    os.environ.update(workplace.make_environment_variables())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _close_runs_as_failed(workplace: Workplace) -> None:
    """Record in the registry that the runs which have not finished have failed."""
    registry = open_registry(workplace.registry)
    try:
        with registry.write() as session:
            session.execute(update(Run).where(Run.finished.is_(None)).values(finished=now(), outcome="failed"))
    finally:
        registry.close()


def run_everything(workplace: Workplace, listener: ProgressListener) -> RunOutcome:
    """Run all stages, from landing to feedback. If the run does not publish, raise `HarmoniaError` with a message of one line."""
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    started = time.monotonic()
    workplace.prepare_folders()
    if workplace.warehouse_url:
        postgres.remove_password_from_url(workplace.warehouse_url)  # a wrong URL is reported now, not after a whole run
    Bounds.from_environment()  # so is a wrong limit
    with lock_home_for_run(workplace.home):
        if _may_have_new_files(workplace):
            bounded.start_first_process()
        inbox, before = last_run.hash_inbox_state(workplace), _read_landing_version(workplace)
        unchanged = last_run.is_unchanged_since_last_run(workplace, inbox)
        try:
            run_id = _execute_job(workplace, listener, _ASSETS_ALWAYS_RUN if unchanged else None)
            if unchanged and _read_landing_version(workplace) != (before[0], False):  # a database that the inbox points to has new records
                unchanged, run_id = False, _execute_job(workplace, listener)
            last_run.store_run_state(workplace, inbox)
        except BaseException:
            with suppress(HarmoniaError):  # e.g. disk full: the first error is reported, and the next run closes this run
                _close_runs_as_failed(workplace)
            raise
        finally:
            bounded.stop_processes()
    values = RunOutputs(workplace.home.lake, ["/".join(asset.key.path) for asset in list_assets()], VALUE_TYPES)
    return RunOutcome(run_id, time.monotonic() - started, values, unchanged)


def _read_landing_version(workplace: Workplace) -> tuple[str | None, bool]:
    """Return the version of the output of landing, and whether the output has a new delivery. Without an output, the version is None."""
    folder = workplace.home.lake / "landing"
    output = read_version(folder)
    return (output.version, bool(Tables(folder)["deliveries"]["new"].any())) if output else (None, False)


def _may_have_new_files(workplace: Workplace) -> bool:
    """Return whether the inbox may have files that are newer than the published warehouse.

    If so, the process that reads deliveries is started early. If the answer is wrong, the run takes only a few seconds longer.
    """
    published = find_folder_of_current_publication(workplace.home.root) / "warehouse.duckdb"
    if not published.exists():
        return True
    since = published.stat().st_mtime
    return any(path.stat().st_mtime > since for path in workplace.inbox.glob("*/*"))


def _execute_job(workplace: Workplace, listener: ProgressListener, only_assets: Sequence[str] | None = None) -> str:
    """Run the job; if `only_assets` names assets, run only these. Return the id of the run in Dagster."""
    handler = _ProgressHandler(listener)
    token = _CURRENT_JOB.set(_build_job(workplace, handler))
    assets = [asset for asset in list_assets() if only_assets is None or "/".join(asset.key.path) in only_assets]
    listener.on_plan({"__".join(asset.key.path): asset.group_names_by_key[asset.key] for asset in assets})
    try:
        with _set_environment(workplace), _open_instance(workplace.home) as instance, redirect_stderr(_StderrWithoutEvents(sys.stderr)):
            # not `execute_in_process`, which keeps every output in memory until the end
            config: dict[str, object] = {"loggers": {"console": {"config": {}}}}
            # Dagster caches the last job: without a unique argument a run would get the job, and the home, of the run before.
            job = dg.build_reconstructable_job(__name__, current_job.__name__, (uuid4().hex,))
            chosen = None if only_assets is None else [asset.key for asset in assets]
            return dg.execute_job(job, instance, config, tags=_REPOSITORY, raise_on_error=True, asset_selection=chosen).run_id
    except HarmoniaError:
        raise
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    except Exception as error:  # noqa: BLE001 - its message may quote a cell
        if isinstance(error, dg.DagsterError) and handler.failed_checks:  # details are on the check's page
            checks = ", ".join(handler.failed_checks)
            tampered = any(name in checks for name in ("bytes_are_as_received", "ledger_is_as_entered"))
            remedy = "`harmonia verify` lists what was changed" if tampered else "`harmonia ui` shows the counts"
            raise HarmoniaError(f"a blocking check failed ({checks}); nothing was published: {remedy}") from None
        log = write_log(error, workplace.logs, "run")
        raise HarmoniaError(
            f"the run failed: {describe_error(error)}; details are in {log or 'no log (it could not be written)'}"
        ) from None
    finally:
        _CURRENT_JOB.reset(token)
