"""Deployment files: least privilege, no secret in an environment, one way in. They are read, not started."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_runs_with_least_privilege(name):
    service = COMPOSE["services"][name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_is_reached_from_outside_and_only_from_this_machine():
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(ports) == ["proxy"]
    assert all(port.startswith("127.0.0.1:") for port in ports["proxy"])
    assert COMPOSE["networks"]["inside"]["internal"]


def test_no_secret_stands_in_an_environment():
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
    assert "-h 0.0.0.0" not in service["ExecStart"]


def test_helm_values_turn_telemetry_and_ingress_off():
    values = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text("utf-8"))
    assert not values["telemetry"]["enabled"]
    assert not values["ingress"]["enabled"]
