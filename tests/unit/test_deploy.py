"""Deployment files: least privilege, no secret in an environment, one way in. They are read, not started."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harmonia.cli.main import app
from pipelines.resources import lake

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SHIPPED = Path(lake.__file__).with_name("dagster.yaml")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_runs_with_least_privilege(name):
    service = COMPOSE["services"][name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]


def test_images_are_named_by_whoever_checked_them():
    """A tag can mean another image tomorrow: what comes from elsewhere is asked for by digest, and none has a default."""
    images = [s["image"] for s in COMPOSE["services"].values() if "build" not in s]
    bases = [base for s in COMPOSE["services"].values() if "build" in s for base in s["build"]["args"].values()]
    assert len(images) == 1
    assert all(name.startswith("${HARMONIA_") and ":?" in name and "digest" in name for name in [*images, *bases])


def test_only_the_proxy_is_reached_from_outside_and_only_from_this_machine():
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(ports) == ["proxy"]
    assert all(port.startswith("127.0.0.1:") for port in ports["proxy"])
    assert COMPOSE["networks"]["inside"]["internal"]


def test_the_daemon_reaches_whom_it_tells_and_nothing_else_but_the_proxy_does():
    """`inside` and `front` have no way out: an alert would never arrive."""
    networks = {name: set(service["networks"]) for name, service in COMPOSE["services"].items()}
    assert {name for name, reached in networks.items() if "outside" in reached} == {"daemon", "proxy"}
    assert "HARMONIA_ALERT_WEBHOOK" in COMPOSE["services"]["daemon"]["environment"]


def test_no_secret_is_in_an_environment():
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable.upper() for word in ("PASSWORD", "SECRET", "TOKEN"))
            assert not secret or variable.endswith("_FILE"), f"{name}: {variable}"
            assert ":" not in str(value).partition("//")[2].partition("@")[0], f"{name}: {variable} holds a password"


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").glob("*.service")))
def test_units_are_confined(unit):
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment]
    parsed.read(DEPLOY / "systemd" / unit)
    service = parsed["Service"]
    assert service["User"] == "harmonia"
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["UMask"]) == ("yes", "strict", "0077")
    assert service["LimitCORE"] == "0"  # what a process held is written nowhere
    assert service["MemoryMax"]
    assert service["TasksMax"]
    assert service["RestrictNamespaces"] == "yes"
    text = (DEPLOY / "systemd" / unit).read_text("utf-8")
    assert "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n" in text
    assert "-h 0.0.0.0" not in service["ExecStart"]


def test_the_pages_to_look_at_change_nothing():
    unit = (DEPLOY / "systemd" / "harmonia-view.service").read_text("utf-8")
    assert "--read-only" in unit
    assert "--path-prefix /view" in unit


def test_helm_values_turn_telemetry_and_ingress_off():
    values = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text("utf-8"))
    assert not values["telemetry"]["enabled"]
    assert not values["ingress"]["enabled"]


def test_the_home_is_prepared_before_daemon_and_pages_start():
    for name in ("daemon", "pages"):
        assert COMPOSE["services"][name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
        unit = (DEPLOY / "systemd" / f"harmonia-{name}.service").read_text("utf-8")
        assert "ExecStartPre=/opt/harmonia/.venv/bin/harmonia init" in unit


def test_preparing_twice_changes_nothing(tmp_path):
    for _ in range(2):
        said = CliRunner().invoke(app, ["init", "--home", str(tmp_path / "home")])
        assert (said.exit_code, said.output.strip()) == (0, f"DAGSTER_HOME={tmp_path / 'home' / 'dagster'}")
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").read_text("utf-8") == SHIPPED.read_text("utf-8")


def test_the_image_holds_a_home_that_its_user_may_write_and_runs_as_nobody_else():
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    assert any("install -d -o 10001 -g 10001 -m 0700 /home-of-harmonia" in line for line in lines)
    assert "USER 10001" in lines
    assert not any(line.startswith("ADD ") for line in lines)


def test_dagsters_history_names_the_driver_that_dagster_speaks_to():
    values = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text("utf-8"))
    driver = "postgresql+psycopg2"
    assert values["postgresql"]["postgresqlScheme"] == driver
    assert COMPOSE["services"]["daemon"]["environment"]["HARMONIA_DAGSTER_URL"].startswith(f"{driver}://")
