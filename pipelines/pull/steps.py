"""One pull: look at the sources, fetch what is new, put it into the inbox, record it.

Belongs here: the order of the steps, the watermark, processes with bounds. What goes wrong at one source is an outcome of its institution;
the others go on. Does not belong here: a kind of source, schedules (`pipelines.schedules`).
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
from harmonia.lock import pull_lock
from harmonia.registry import Registry
from harmonia.registry.pulls import Place, add, current
from harmonia.registry.tables import Pull
from pipelines.landing.receipts import CurrentFiles, current_files
from pipelines.pull import inbox
from pipelines.pull.database import Database
from pipelines.pull.declared import SETTING, configured
from pipelines.pull.failure import PullError, as_pull_error
from pipelines.pull.source import Look, Offer, Problem, Request, Secrets, Source
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, TaskResult
from pipelines.resources.workplace import Workplace
from schemas.declared import DeclarationError
from schemas.findings import rules
from sources import contract, periods
from sources.contract import DeliveryName

Result = Literal["pulled", "new", "unchanged", "waiting", "failed"]

_LOOK_SECONDS = 300
_PROCESSES = 4  # sources that are looked at, or deliveries that are fetched, at a time


@dataclass(frozen=True)
class Limits:
    """What fetching one delivery may cost: seconds on the clock, MiB of memory."""

    seconds: int = 1800
    memory: int = 512

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """As `HARMONIA_PULL_SECONDS` and `HARMONIA_PULL_MEMORY` say. Raises `HarmoniaError` where one is no number."""
        found = {}
        for name in ("seconds", "memory"):
            value = environment.get(f"HARMONIA_PULL_{name.upper()}") or str(getattr(cls, name))
            if not value.isascii() or not value.isdigit() or int(value) < 1:
                raise HarmoniaError(f"HARMONIA_PULL_{name.upper()} is {value!r}: give a whole number, 1 or more")
            found[name] = int(value)
        return cls(**found)

    @property
    def look(self) -> Bounds:
        """Of a look at a source."""
        return Bounds(seconds=min(self.seconds, _LOOK_SECONDS), memory=self.memory, patience=1)

    @property
    def fetch(self) -> Bounds:
        """Of fetching a delivery."""
        return Bounds(seconds=self.seconds, memory=self.memory, patience=1)


@dataclass(frozen=True)
class Outcome:
    """What became of a source (`delivery` None) or a delivery that it offers. `new`: found by a dry run. `inbox_name`: the delivery in the
    inbox that has its content."""

    institution: str
    kind: str
    delivery: str | None
    result: Result
    inbox_name: str | None = None
    rule: str | None = None
    detail: str = ""

    @property
    def remedy(self) -> str:
        """What is wrong and what to do, in English."""
        rule = rules().get(self.rule or "")
        return f"{rule.text['en']} {rule.action['en']}" if rule else ""


@dataclass(frozen=True, repr=False)
class _Task:
    """The work of a process: a look, or with `offer` the fetching of its files. It contains secrets and must not be shown."""

    institution: str
    source: Source
    secrets: Secrets
    request: Request
    offer: Offer | None = None
    folder: Path | None = None


def pull(
    workplace: Workplace,
    registry: Registry,
    names: Collection[str] | None = None,
    *,
    dry_run: bool = False,
    today: date | None = None,
    limits: Limits | None = None,
) -> list[Outcome]:
    """Pull from the sources of the institutions `names`, or of all that have one. A dry run looks, and writes nothing.

    Raises `HarmoniaError` for a name without a source, and where inbox, home or registry cannot be used: nothing of a source raises.
    """
    sources = configured(workplace.home)
    for name in names or ():
        if name not in sources:
            raise HarmoniaError(f"{name} declares no source: add `pull:` to its contract, or name it in HOME/pull.yaml (or {SETTING})")
    chosen = {name: source for name, source in sources.items() if names is None or name in names}
    pulling = _Pulling(workplace, registry, dry_run, limits or Limits.of())
    pulling.close_without_source(set(sources))
    return pulling.run(chosen, today or datetime.now(UTC).date())


@dataclass
class _Pulling:
    """State of one pull. `before`: the ledger at its start."""

    workplace: Workplace
    registry: Registry
    dry_run: bool
    limits: Limits
    outcomes: list[Outcome] = field(default_factory=list)
    before: dict[Place, Pull] = field(default_factory=dict)
    landed: CurrentFiles = field(default_factory=dict)

    def close_without_source(self, names: Collection[str]) -> None:
        """Close the problems of institutions that no longer have a source."""
        with self.registry.read() as session:
            rows = current(session)
        for (institution, delivery), row in rows.items():
            if institution not in names and row.rule is not None and not self.dry_run:
                add(self.registry, (institution, delivery), row, content=row.content, inbox_name=row.inbox_name)

    def run(self, sources: Mapping[str, Source | DeclarationError], today: date) -> list[Outcome]:
        """Look, fetch, put, record; outcomes in order of the institutions."""
        with ExitStack() as held:
            folders = self._reserve(sources, held)
            with self.registry.read() as session:
                self.before, self.landed = current(session), current_files(session)
            tasks = [self._task(name, sources[name], today) for name in folders]
            new = [task for task in self._looks([task for task in tasks if task]) if not self._is_known(task)]
            if self.dry_run:
                self.outcomes += [Outcome(t.institution, t.source.kind, t.offer.delivery, "new") for t in new if t.offer]
            else:
                self._fetch_all([replace(t, folder=inbox.folder_for(folders[t.institution], t.offer.delivery)) for t in new if t.offer])
        order = list(sources)
        return sorted(self.outcomes, key=lambda one: (order.index(one.institution), one.delivery or ""))

    def _reserve(self, sources: Mapping[str, Source | DeclarationError], held: ExitStack) -> dict[str, Path]:
        """Lock each institution and make the folder for its deliveries; one that another process pulls is left to it."""
        folders = {}
        for name, source in sources.items():
            if self.dry_run:
                folders[name] = Path()
                continue
            try:
                held.enter_context(pull_lock(self.workplace.home, name))
            except HarmoniaError as error:
                kind = source.kind if isinstance(source, Source) else ""
                self.outcomes.append(Outcome(name, kind, None, "waiting", detail=str(error)))
                continue
            folders[name] = held.enter_context(inbox.staging(self.workplace.inbox, name))
        return folders

    def _task(self, name: str, source: Source | DeclarationError, today: date) -> _Task | None:
        """The look at a source; None where its declaration or a secret is missing."""
        try:
            if isinstance(source, DeclarationError):
                raise PullError("pull-not-configured", str(source))
            request = Request(contract.load(name))
            if isinstance(source, Database):
                request = _with_period(request, source, self.before, today)
            return _Task(name, source, source.secrets(), request)
        except PullError as error:
            self._problem(name, source, Problem(None, error.rule, error.detail))
            return None

    def _looks(self, tasks: list[_Task]) -> Iterator[_Task]:
        """A task for every delivery that a source offers. Problems are recorded, and closed where they are gone."""
        for done in bounded.run_each(look_at, tasks, self.limits.look, min(_PROCESSES, len(tasks))):
            task, seen = done.task, cast(Look | PullError, _result(done))
            if isinstance(seen, PullError):
                self._problem(task.institution, task.source, Problem(None, seen.rule, seen.detail))
                continue
            for problem in seen.problems:
                self._problem(task.institution, task.source, problem)
            self._close(task, seen)
            if not seen.offers and not seen.problems:
                self.outcomes.append(Outcome(task.institution, task.source.kind, None, "unchanged", detail="no snapshot is due"))
            yield from (replace(task, offer=offer) for offer in seen.offers)

    def _is_known(self, task: _Task) -> bool:
        """Whether the offer is what was fetched before, by its state."""
        offer = cast(Offer, task.offer)
        row = self.before.get((task.institution, offer.delivery))
        if row is None or row.rule is not None or row.state is None or row.state != offer.state:
            return False
        self._record(task, row, row.state, cast(str, row.content), cast(str, row.inbox_name))
        self.outcomes.append(Outcome(task.institution, task.source.kind, offer.delivery, "unchanged", row.inbox_name))
        return True

    def _fetch_all(self, tasks: list[_Task]) -> None:
        for done in bounded.run_each(fetch, tasks, self.limits.fetch, min(_PROCESSES, len(tasks))):
            task, hashes = done.task, cast(dict[str, str] | PullError, _result(done))
            try:
                if isinstance(hashes, PullError):
                    raise hashes
                self.outcomes.append(self._put(task, hashes))
            except PullError as error:
                self._problem(task.institution, task.source, Problem(cast(Offer, task.offer).delivery, error.rule, error.detail))

    def _put(self, task: _Task, hashes: dict[str, str]) -> Outcome:
        """Put fetched files into the inbox and record them. Raises `PullError` if the institution's folder there cannot be written."""
        offer, new = cast(Offer, task.offer), inbox.content(hashes)
        row = self.before.get((task.institution, offer.delivery))
        again = row is not None and row.content is not None and row.content != new
        name = cast(DeliveryName, DeliveryName.parse(offer.delivery))
        folder = cast(Path, task.folder)
        inbox_name, is_new = inbox.put(self.workplace.inbox, task.institution, name, folder, new, self.landed, again)
        self._record(task, row, offer.state, new, inbox_name)
        return Outcome(task.institution, task.source.kind, offer.delivery, "pulled" if is_new else "unchanged", inbox_name)

    def _record(self, task: _Task, row: Pull | None, state: str | None, content: str, inbox_name: str) -> None:
        """Record what was fetched; of a database also that it was unchanged, since the next snapshot is due by the day of the last."""
        same = row is not None and (row.rule, row.state, row.content, row.inbox_name) == (None, state, content, inbox_name)
        if not self.dry_run and not (same and not isinstance(task.source, Database)):
            place = (task.institution, cast(Offer, task.offer).delivery)
            add(self.registry, place, row, state=state, content=content, inbox_name=inbox_name)

    def _problem(self, institution: str, source: Source | DeclarationError, problem: Problem) -> None:
        """Record what stops a source or a delivery."""
        kind = source.kind if isinstance(source, Source) else ""
        result: Result = "failed" if rules()[problem.rule].severity == "error" else "waiting"
        self.outcomes.append(Outcome(institution, kind, problem.delivery, result, None, problem.rule, problem.detail))
        if not self.dry_run:
            place = (institution, problem.delivery)
            add(self.registry, place, self.before.get(place), rule=problem.rule, detail=problem.detail)

    def _close(self, task: _Task, seen: Look) -> None:
        """Close problems of the source, and of deliveries that it no longer offers."""
        still = {problem.delivery for problem in seen.problems} | {offer.delivery for offer in seen.offers}
        for (institution, delivery), row in self.before.items():
            if institution == task.institution and row.rule is not None and delivery not in still and not self.dry_run:
                add(self.registry, (institution, delivery), row, content=row.content, inbox_name=row.inbox_name)


def _with_period(request: Request, source: Database, before: Mapping[Place, Pull], today: date) -> Request:
    """With the last period that ended, from each day of `days` until a snapshot was taken; else unchanged."""
    agreed = request.contract
    period = periods.previous(periods.containing(today, agreed.cadence))
    first, last = periods.first_day(period), periods.last_day(period)
    passed = [day for days in source.days or (agreed.due_days,) if (day := last + timedelta(days=days)) <= today]
    row = before.get((agreed.institution, period))
    if not passed or (row is not None and row.rule is None and row.content is not None and row.at.date() >= max(passed)):
        return request
    return replace(request, period=period, days=(first, last))


def _result(done: TaskResult[_Task]) -> Look | dict[str, str] | PullError:
    """What a process returned, or the rule behind its end."""
    if done.ended is None:
        return cast(Look | dict[str, str] | PullError, done.result)
    rule = {"seconds": "pull-deadline", "memory": "pull-too-large"}.get(done.ended.reason, "pull-failed")
    return PullError(rule, done.ended.detail or done.ended.reason)


def look_at(task: _Task) -> Look | PullError:
    """Look at a source, in a process of its own."""
    try:
        with as_pull_error():
            return task.source.look(task.secrets, task.request)
    except PullError as error:
        return error


def fetch(task: _Task) -> dict[str, str] | PullError:
    """Fetch a delivery, in a process of its own."""
    try:
        with as_pull_error():
            return task.source.fetch(task.secrets, task.request, cast(Offer, task.offer), cast(Path, task.folder))
    except PullError as error:
        return error
