"""What all kinds of sources have in common: their declaration, their secrets, and what they offer.

Belongs here: the types that all kinds use. Does not belong here: a kind of source (`sftp`, `https`, `s3`, `share`, `database`).
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from pipelines.pull.errors import PullError
from sources.contract import Contract

if TYPE_CHECKING:
    from tenacity import Retrying

CLOSED: dict[str, Any] = {"extra": "forbid"}  # an unknown key in a declaration is an error
MIB = 1 << 20
ANSWER_SECONDS = 30  # seconds within which a server must answer or send the next bytes
MAX_SECRET_BYTES = 64 << 10  # bytes

SCHEDULE = "20 */6 * * *"
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # minute, hour, day, month, day of the week

Secrets = Mapping[str, str]


def _check_cron(text: str) -> str:
    """Return `text` unchanged if it is a time in cron syntax that uses only numbers. Raises `ValueError` for any other text."""
    parts = text.split()
    bounded = list(zip(parts, _CRON, strict=False))
    if len(parts) != len(_CRON) or not all(
        _is_cron_part_within(part_of_list, *bounds) for part, bounds in bounded for part_of_list in part.split(",")
    ):
        raise ValueError(f"should be five fields of cron in numbers, for example {SCHEDULE}")
    return text


def _is_cron_part_within(part: str, least: int, most: int) -> bool:
    """Return whether a part of a cron expression has only numbers from `least` to `most`."""
    match = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/[1-9]\d?)?", part)
    numbers = [int(number) for number in match.groups() if number] if match else [most + 1]
    return numbers == sorted(numbers) and all(least <= number <= most for number in numbers)


@dataclass(frozen=True)
class SecretLocation:
    """Where a secret is: in an environment variable or in a file. The secret itself is never written into a declaration."""

    __pydantic_config__: ClassVar = CLOSED

    environment: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Path | None = None

    def read(self, name: str) -> str:
        """Return the secret. Raises `PullError` (`pull-no-secret`), which shows only `name`, the key of the declaration."""
        if (self.environment is None) == (self.file is None):
            raise PullError("pull-no-secret", f"{name}: needs either `environment` or `file`")
        secret = os.environ.get(self.environment, "") if self.environment else self._read_secret_file(name, self.file or Path())
        if not secret.strip():
            raise PullError("pull-no-secret", f"{name}: its {'variable' if self.environment else 'file'} is not set or empty")
        return secret if "-----BEGIN" in secret else secret.strip()

    @staticmethod
    def _read_secret_file(name: str, path: Path) -> str:
        try:
            if path.stat().st_mode & 0o007:
                raise PullError("pull-no-secret", f"{name}: everybody can read its file; chmod it to 0600")
            with path.open(encoding="utf-8") as file:
                return file.read(MAX_SECRET_BYTES)
        except (OSError, UnicodeError):
            raise PullError("pull-no-secret", f"{name}: its file cannot be read") from None


@dataclass(frozen=True)
class RemoteFile:
    """A file that a source offers.

    `size` is in bytes; None if it is not known. `mark` is a text that changes whenever the content changes (a time or an ETag).
    """

    name: str
    path: str
    size: int | None
    mark: str


@dataclass(frozen=True)
class DeliveryOffer:
    """A delivery that a source offers.

    `state` is a hash that stays the same as long as the delivery does not change; None if the source cannot tell whether it changed.
    """

    delivery: str
    state: str | None
    files: tuple[RemoteFile, ...] = ()


@dataclass(frozen=True)
class SourceProblem:
    """A problem of a source or of one of its deliveries, with the rule of the finding and a detail.

    `delivery` is None if the problem concerns the source as a whole.
    """

    delivery: str | None
    rule: str
    detail: str = ""


@dataclass
class LookResult:
    """The result of looking at a source: the deliveries that it offers, and its problems."""

    offers: list[DeliveryOffer] = field(default_factory=list)
    problems: list[SourceProblem] = field(default_factory=list)


@dataclass(frozen=True)
class SourceRequest:
    """What to fetch from a source: the files of the contract. For a database, `period` and `days` say for which period a snapshot is due.

    `days` has the first and the last day of the period.
    """

    contract: Contract
    period: str | None = None
    days: tuple[date, date] | None = None


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """The declaration of a source: its address, login and layout. Each kind of source is a subclass."""

    __pydantic_config__: ClassVar = CLOSED
    secret: ClassVar[tuple[str, ...]] = ()  # the fields that say where a secret is

    kind: str
    schedule: Annotated[str, AfterValidator(_check_cron)] = SCHEDULE  # when Dagster starts the pull
    largest: Annotated[int, Field(ge=1, le=1024)] = 1024  # MiB of a file; landing accepts no larger file
    attempts: Annotated[int, Field(ge=1, le=10)] = 3  # at a source that does not answer; each pause is twice as long
    pause: Annotated[float, Field(ge=0, le=60)] = 2.0  # seconds before the second attempt

    def read_secrets(self) -> dict[str, str]:
        """Return the secrets, by the field of the declaration that says where they are. Raises `PullError`."""
        locations = {field.name: getattr(self, field.name) for field in fields(self) if field.name in self.secret}
        return {name: location.read(name) for name, location in locations.items() if location is not None}

    def make_attempts(self) -> Retrying:
        """Return an iterator over attempts. After a failure that may be transient, it pauses and gives another attempt."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

        return Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential_jitter(initial=self.pause, max=60, jitter=self.pause / 2),
            retry=retry_if_exception(lambda error: isinstance(error, PullError) and error.transient),
            reraise=True,
        )

    @abstractmethod
    def look_for_deliveries(self, secrets: Secrets, request: SourceRequest) -> LookResult:
        """Look at the source. Return its offers and problems. Raises `PullError`."""

    @abstractmethod
    def fetch_delivery(self, secrets: Secrets, request: SourceRequest, offer: DeliveryOffer, folder: Path) -> dict[str, str]:
        """Write the files of an offer into `folder`. Return the SHA-256 of each file, by name.

        Raises `PullError`; then `folder` may contain anything.
        """
