"""One pull: look at the sources, fetch what is new, put it into the inbox and record it.

Belongs here: the order of these steps, what was pulled earlier, and the processes with their limits. If there is an error at one source, it
is an outcome of the pull, and the other institutions are pulled all the same. Does not belong here: a kind of source, schedules
(`pipelines.schedules`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, cast

from harmonia.errors import HarmoniaError
from harmonia.lock import lock_pulls
from harmonia.registry import Registry
from harmonia.registry.pulls import PullSubject, read_latest_pulls, record_pull
from harmonia.registry.tables import Pull
from pipelines.landing.receipts import CurrentFiles, list_current_files
from pipelines.pull import inbox
from pipelines.pull.configuration import SETTING, read_sources
from pipelines.pull.database import Database
from pipelines.pull.errors import PullError, convert_errors_to_pull_errors
from pipelines.pull.source import DeliveryOffer, LookResult, Secrets, Source, SourceProblem, SourceRequest
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, TaskResult
from pipelines.resources.workplace import Workplace
from schemas.findings import rules
from schemas.yaml_declarations import DeclarationError
from sources import contract, periods
from sources.contract import DeliveryName

Result = Literal["pulled", "new", "unchanged", "waiting", "failed"]

_LOOK_SECONDS = 300
_PROCESSES = 4  # number of sources or deliveries that are processed at a time


@dataclass(frozen=True)
class PullLimits:
    """The limits for fetching one delivery: seconds of wall-clock time, and MiB of memory."""

    seconds: int = 1800
    memory: int = 512

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> PullLimits:
        """Read the limits from `HARMONIA_PULL_SECONDS` and `HARMONIA_PULL_MEMORY`. Raises `HarmoniaError` if one is not a number."""
        limits = {}
        for name in ("seconds", "memory"):
            value = environment.get(f"HARMONIA_PULL_{name.upper()}") or str(getattr(cls, name))
            if not value.isascii() or not value.isdigit() or int(value) < 1:
                raise HarmoniaError(f"HARMONIA_PULL_{name.upper()} is {value!r}: give a whole number, 1 or more")
            limits[name] = int(value)
        return cls(**limits)

    @property
    def look_bounds(self) -> Bounds:
        """The limits of time and memory for looking at a source."""
        return Bounds(seconds=min(self.seconds, _LOOK_SECONDS), memory=self.memory, patience=1)

    @property
    def fetch_bounds(self) -> Bounds:
        """The limits of time and memory for fetching a delivery."""
        return Bounds(seconds=self.seconds, memory=self.memory, patience=1)


@dataclass(frozen=True)
class PullOutcome:
    """The result of a pull for a source, or for one delivery that the source offers. The result `new` occurs only in a dry run.

    `delivery` is None if the outcome concerns the source as a whole. `inbox_name` is the name of the delivery in the inbox that has this
    content.
    """

    institution: str
    kind: str
    delivery: str | None
    result: Result
    inbox_name: str | None = None
    rule: str | None = None
    detail: str = ""

    @property
    def remedy(self) -> str:
        """What the rule means and what to do about it, in English."""
        rule = rules().get(self.rule or "")
        return f"{rule.text['en']} {rule.action['en']}" if rule else ""


@dataclass(frozen=True, repr=False)
class _PullTask:
    """The work of one process: looking at a source, or fetching the files of `offer`, if there is an offer.

    It contains secrets and must not be shown.
    """

    institution: str
    source: Source
    secrets: Secrets
    request: SourceRequest
    offer: DeliveryOffer | None = None
    folder: Path | None = None


def pull_deliveries(
    workplace: Workplace,
    registry: Registry,
    names: Collection[str] | None = None,
    *,
    dry_run: bool = False,
    today: date | None = None,
    limits: PullLimits | None = None,
) -> list[PullOutcome]:
    """Pull from the sources of the institutions `names`; None means all institutions that have a source.

    A dry run only looks at the sources, and writes nothing. Errors at a source become outcomes. Raises `HarmoniaError` if an institution
    has no source, and if the inbox, the home or the registry cannot be used.
    """
    sources = read_sources(workplace.home)
    for name in names or ():
        if name not in sources:
            raise HarmoniaError(f"{name} declares no source: add `pull:` to its contract, or name it in HOME/pull.yaml (or {SETTING})")
    chosen = {name: source for name, source in sources.items() if names is None or name in names}
    pulling = _PullRun(workplace, registry, dry_run, limits or PullLimits.from_environment())
    pulling.close_problems_without_source(set(sources))
    return pulling.pull_from_sources(chosen, today or datetime.now(UTC).date())


@dataclass
class _PullRun:
    """The state of one pull. `before` has the records of earlier pulls, which are read at the start, and `landed` the landed files."""

    workplace: Workplace
    registry: Registry
    dry_run: bool
    limits: PullLimits
    outcomes: list[PullOutcome] = field(default_factory=list)
    before: dict[PullSubject, Pull] = field(default_factory=dict)
    landed: CurrentFiles = field(default_factory=dict)

    def close_problems_without_source(self, names: Collection[str]) -> None:
        """Close the recorded problems of institutions that no longer have a source. `names` has the institutions that have one."""
        with self.registry.read() as session:
            rows = read_latest_pulls(session)
        for (institution, delivery), row in rows.items():
            if institution not in names and row.rule is not None and not self.dry_run:
                record_pull(self.registry, (institution, delivery), row, content=row.content, inbox_name=row.inbox_name)

    def pull_from_sources(self, sources: Mapping[str, Source | DeclarationError], today: date) -> list[PullOutcome]:
        """Look at the sources, fetch the new deliveries, put them into the inbox and record them.

        Return the outcomes in the order of the institutions.
        """
        with ExitStack() as held:
            folders = self._lock_institutions(sources, held)
            with self.registry.read() as session:
                self.before, self.landed = read_latest_pulls(session), list_current_files(session)
            tasks = [self._make_look_task(name, sources[name], today) for name in folders]
            new = [task for task in self._look_at_sources([task for task in tasks if task]) if not self._is_already_pulled(task)]
            if self.dry_run:
                self.outcomes += [PullOutcome(t.institution, t.source.kind, t.offer.delivery, "new") for t in new if t.offer]
            else:
                self._fetch_deliveries(
                    [replace(t, folder=inbox.make_delivery_folder(folders[t.institution], t.offer.delivery)) for t in new if t.offer]
                )
        order = list(sources)
        return sorted(self.outcomes, key=lambda outcome: (order.index(outcome.institution), outcome.delivery or ""))

    def _lock_institutions(self, sources: Mapping[str, Source | DeclarationError], lock_stack: ExitStack) -> dict[str, Path]:
        """Lock the pull of each institution and make a folder for its deliveries.

        An institution that another process is pulling is left out.
        """
        folders = {}
        for name, source in sources.items():
            if self.dry_run:
                folders[name] = Path()
                continue
            try:
                lock_stack.enter_context(lock_pulls(self.workplace.home, name))
            except HarmoniaError as error:
                kind = source.kind if isinstance(source, Source) else ""
                self.outcomes.append(PullOutcome(name, kind, None, "waiting", detail=str(error)))
                continue
            folders[name] = lock_stack.enter_context(inbox.create_staging_folder(self.workplace.inbox, name))
        return folders

    def _make_look_task(self, name: str, source: Source | DeclarationError, today: date) -> _PullTask | None:
        """Return the task of looking at a source.

        If its declaration is invalid or a secret is missing, record the problem and return None.
        """
        try:
            if isinstance(source, DeclarationError):
                raise PullError("pull-not-configured", str(source))
            request = SourceRequest(contract.load(name))
            if isinstance(source, Database):
                request = _add_due_period(request, source, self.before, today)
            return _PullTask(name, source, source.read_secrets(), request)
        except PullError as error:
            self._record_problem(name, source, SourceProblem(None, error.rule, error.detail))
            return None

    def _look_at_sources(self, tasks: list[_PullTask]) -> Iterator[_PullTask]:
        """Look at the sources in separate processes. Yield a task for every delivery that they offer.

        Problems are recorded, and earlier problems that no longer exist are closed.
        """
        for result in bounded.run_bounded_tasks(look_at_source, tasks, self.limits.look_bounds, min(_PROCESSES, len(tasks))):
            task, look = result.task, cast(LookResult | PullError, _get_task_result(result))
            if isinstance(look, PullError):
                self._record_problem(task.institution, task.source, SourceProblem(None, look.rule, look.detail))
                continue
            for problem in look.problems:
                self._record_problem(task.institution, task.source, problem)
            self._close_problems(task, look)
            if not look.offers and not look.problems:
                self.outcomes.append(PullOutcome(task.institution, task.source.kind, None, "unchanged", detail="no snapshot is due"))
            yield from (replace(task, offer=offer) for offer in look.offers)

    def _is_already_pulled(self, task: _PullTask) -> bool:
        """Return whether an offer was fetched earlier and has the same state. If so, record it, and add the outcome `unchanged`."""
        offer = cast(DeliveryOffer, task.offer)
        row = self.before.get((task.institution, offer.delivery))
        if row is None or row.rule is not None or row.state is None or row.state != offer.state:
            return False
        self._record_pull(task, row, row.state, cast(str, row.content), cast(str, row.inbox_name))
        self.outcomes.append(PullOutcome(task.institution, task.source.kind, offer.delivery, "unchanged", row.inbox_name))
        return True

    def _fetch_deliveries(self, tasks: list[_PullTask]) -> None:
        """Fetch the deliveries in separate processes, and put each of them into the inbox."""
        for result in bounded.run_bounded_tasks(fetch_delivery, tasks, self.limits.fetch_bounds, min(_PROCESSES, len(tasks))):
            task, hashes = result.task, cast(dict[str, str] | PullError, _get_task_result(result))
            try:
                if isinstance(hashes, PullError):
                    raise hashes
                self.outcomes.append(self._put_into_inbox(task, hashes))
            except PullError as error:
                self._record_problem(
                    task.institution, task.source, SourceProblem(cast(DeliveryOffer, task.offer).delivery, error.rule, error.detail)
                )

    def _put_into_inbox(self, task: _PullTask, hash_by_file_name: dict[str, str]) -> PullOutcome:
        """Put fetched files into the inbox and record the pull. `hash_by_file_name` maps each file name to its SHA-256.

        Raises `PullError` if the institution's folder in the inbox cannot be written.
        """
        offer, content = cast(DeliveryOffer, task.offer), inbox.hash_delivery_content(hash_by_file_name)
        row = self.before.get((task.institution, offer.delivery))
        pulled_before = row is not None and row.content is not None and row.content != content
        name = cast(DeliveryName, DeliveryName.parse(offer.delivery))
        folder = cast(Path, task.folder)
        inbox_name, is_new = inbox.put_delivery_into_inbox(
            self.workplace.inbox, task.institution, name, folder, content, self.landed, pulled_before
        )
        self._record_pull(task, row, offer.state, content, inbox_name)
        return PullOutcome(task.institution, task.source.kind, offer.delivery, "pulled" if is_new else "unchanged", inbox_name)

    def _record_pull(self, task: _PullTask, previous_pull: Pull | None, state: str | None, content_hash: str, inbox_name: str) -> None:
        """Record that a delivery was fetched.

        If the delivery has not changed, it is recorded only for a database, since the day of the last snapshot decides when the next one is
        due.
        """
        same = previous_pull is not None and (previous_pull.rule, previous_pull.state, previous_pull.content, previous_pull.inbox_name) == (
            None,
            state,
            content_hash,
            inbox_name,
        )
        if not self.dry_run and not (same and not isinstance(task.source, Database)):
            subject = (task.institution, cast(DeliveryOffer, task.offer).delivery)
            record_pull(self.registry, subject, previous_pull, state=state, content=content_hash, inbox_name=inbox_name)

    def _record_problem(self, institution: str, source: Source | DeclarationError, problem: SourceProblem) -> None:
        """Record a problem because of which a source, or a delivery in it, could not be pulled."""
        kind = source.kind if isinstance(source, Source) else ""
        result: Result = "failed" if rules()[problem.rule].severity == "error" else "waiting"
        self.outcomes.append(PullOutcome(institution, kind, problem.delivery, result, None, problem.rule, problem.detail))
        if not self.dry_run:
            subject = (institution, problem.delivery)
            record_pull(self.registry, subject, self.before.get(subject), rule=problem.rule, detail=problem.detail)

    def _close_problems(self, task: _PullTask, look: LookResult) -> None:
        """Close the recorded problems that a source no longer has, including those of deliveries that it no longer offers."""
        open_subjects = {problem.delivery for problem in look.problems} | {offer.delivery for offer in look.offers}
        for (institution, delivery), row in self.before.items():
            if institution == task.institution and row.rule is not None and delivery not in open_subjects and not self.dry_run:
                record_pull(self.registry, (institution, delivery), row, content=row.content, inbox_name=row.inbox_name)


def _add_due_period(request: SourceRequest, source: Database, earlier_pulls: Mapping[PullSubject, Pull], today: date) -> SourceRequest:
    """If a snapshot of the last ended period is due, return `request` with this period. Otherwise return `request` unchanged.

    For each number in `days` of the source, a snapshot is due from so many days after the end of the period until it is taken.
    """
    spec = request.contract
    period = periods.previous_period(periods.period_containing(today, spec.cadence))
    first, last = periods.first_day(period), periods.last_day(period)
    passed = [day for days in source.days or (spec.due_days,) if (day := last + timedelta(days=days)) <= today]
    row = earlier_pulls.get((spec.institution, period))
    if not passed or (row is not None and row.rule is None and row.content is not None and row.at.date() >= max(passed)):
        return request
    return replace(request, period=period, days=(first, last))


def _get_task_result(result: TaskResult[_PullTask]) -> LookResult | dict[str, str] | PullError:
    """Return what a process returned. If the process was ended because of its limits, return an error with the reason."""
    if result.ended is None:
        return cast(LookResult | dict[str, str] | PullError, result.result)
    rule = {"seconds": "pull-deadline", "memory": "pull-too-large"}.get(result.ended.reason, "pull-failed")
    return PullError(rule, result.ended.detail or result.ended.reason)


def look_at_source(task: _PullTask) -> LookResult | PullError:
    """Look at a source. This runs in a separate process."""
    try:
        with convert_errors_to_pull_errors():
            return task.source.look_for_deliveries(task.secrets, task.request)
    except PullError as error:
        return error


def fetch_delivery(task: _PullTask) -> dict[str, str] | PullError:
    """Fetch a delivery. This runs in a separate process."""
    try:
        with convert_errors_to_pull_errors():
            return task.source.fetch_delivery(task.secrets, task.request, cast(DeliveryOffer, task.offer), cast(Path, task.folder))
    except PullError as error:
        return error
