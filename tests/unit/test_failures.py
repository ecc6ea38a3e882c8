"""What is said and kept about an unforeseen failure holds no value of the data."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from pipelines.failures import describe_error, write_log


def _fails_over(name: str) -> Exception:
    try:
        int(name)
    except ValueError as error:
        return error
    raise AssertionError


def test_the_line_names_the_place_and_not_the_value() -> None:
    assert "Arben" not in describe_error(_fails_over("Arben"))
    assert describe_error(_fails_over("Arben")).startswith("ValueError at tests/unit/test_failures.py")


def test_the_log_holds_the_stack_and_not_the_value(tmp_path: Path) -> None:
    log = write_log(_fails_over("Arben"), tmp_path / "logs", "police: reading")
    assert log is not None
    text = log.read_text("utf-8")
    assert "police: reading" in text
    assert "_fails_over" in text
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "Arben" not in text


def test_a_full_disk_is_said_so_however_deep_it_lies() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as full:
            raise RuntimeError("writing failed") from full
    except RuntimeError as error:
        assert "no space is left" in describe_error(error)


def test_a_known_problem_is_said_as_it_is() -> None:
    assert describe_error(HarmoniaError("port 3000 is in use: name another")) == "port 3000 is in use: name another"


def test_a_log_that_cannot_be_written_is_no_second_failure(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file", encoding="utf-8")
    assert write_log(ValueError("x"), tmp_path / "logs", "run") is None


def test_the_name_that_does_not_exist_is_said_if_the_program_contains_it() -> None:
    def message(act: Callable[[], object]) -> str:
        with pytest.raises((AttributeError, KeyError, NameError)) as caught:
            act()
        return describe_error(caught.value)

    frame, cell = pd.DataFrame({"name": ["Arben"]}), "Arben"
    assert message(lambda: frame.colour).startswith("AttributeError ('colour') at tests/unit/test_failures.py")  # type: ignore[attr-defined]
    assert message(lambda: frame["colour"]).startswith("KeyError ('colour') at tests/unit/test_failures.py")
    assert message(lambda: colour).startswith("NameError ('colour') at tests/unit/test_failures.py")  # type: ignore[name-defined]  # noqa: F821
    for said in (message(lambda: {}[cell]), message(lambda: getattr(frame, cell))):
        assert cell not in said
