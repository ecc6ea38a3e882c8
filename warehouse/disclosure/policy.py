"""Sign and verify the disclosure policy: nothing is published under a policy that the coordinator has not signed in its current form.

Belongs here: finding, signing and verifying `disclosure_policy.yaml`. Does not belong here: what it says (`programme`).

A home contains `disclosure_policy.yaml`, `disclosure_policy.sig.json` (who signed, when, the Ed25519 signature over both and the policy's
bytes) and `coordinator.pub`, the key that verifies signatures. The coordinator stores the private key elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harmonia.errors import HarmoniaError, convert_storage_errors
from schemas import domain_folder
from schemas.texts import texts
from schemas.yaml_declarations import display_path
from warehouse.disclosure import signature
from warehouse.disclosure.programme import Programme, parse_programme

SHIPPED = domain_folder.find_path_in_domain("disclosure_policy.yaml")
POLICY, SIGNATURE = "disclosure_policy.yaml", "disclosure_policy.sig.json"


@dataclass(frozen=True)
class Policy:
    """A signed policy: the tables it allows (`programme`), its bytes, and its entries in the manifest of a release."""

    programme: Programme
    content: bytes
    sha256: str
    signed_by: str
    signed_on: str


def _make_policy_message_to_sign(content: bytes, name: str, day: str) -> bytes:
    return signature.make_message_to_sign("harmonia disclosure policy", name, day, hashlib.sha256(content).hexdigest())


def sign_policy(home: Path, key_file: Path, name: str, day: str, policy: Path | None = None) -> None:
    """Sign the file `policy` in the name of the person `name`, and put it in force in `home`. If no file is given, the policy in the home
    is signed, or, if the home has none, the policy of the domain.

    key_file: the coordinator's private key (PEM, Ed25519); created if it does not exist. The first signature creates the home's
    `coordinator.pub`; later ones must be by the same key. Raises `HarmoniaError` if the key is another one, or if the policy
    cannot be applied.
    """
    source = policy or _find_unsigned_policy_file(home)
    content = _read_policy_file(source)
    parse_programme(_parse_policy(content, source))
    record = {
        "name": name,
        "day": day,
        "signature": signature.sign_content(home, key_file, _make_policy_message_to_sign(content, name, day)),
    }
    with convert_storage_errors(home):
        if source.absolute() != (home / POLICY).absolute():
            shutil.copyfile(source, home / POLICY)
        (home / SIGNATURE).write_text(json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def _find_unsigned_policy_file(home: Path) -> Path:
    return home / POLICY if (home / POLICY).is_file() else SHIPPED


def read_unsigned_policy(home: Path) -> tuple[bytes, Programme]:
    """Return the policy that `sign_policy` would put in force in `home`: the bytes of the file, and its content. Raises `HarmoniaError` if
    it cannot be applied."""
    source = _find_unsigned_policy_file(home)
    content = _read_policy_file(source)
    return content, parse_programme(_parse_policy(content, source))


def check_policies_of_domain() -> None:
    """Check the policies of the domain. Raise `HarmoniaError`, which names the file, if a policy cannot be applied to the indicators or has
    no labels."""
    try:
        programme = parse_programme(_parse_policy(_read_policy_file(SHIPPED), SHIPPED))
        for dimension in ("offence_group", "form"):
            if lacking := [category for category in programme.categories[dimension] if category not in texts("labels")[dimension]]:
                raise HarmoniaError(f"category {lacking[0]} of {dimension} has no label: add it to labels.{dimension} in texts.yaml")
    except HarmoniaError as error:
        raise HarmoniaError(f"{display_path(SHIPPED)}: {error}") from None


def load_policy(home: Path) -> Policy:
    """Return the policy in force in `home`. Raises `HarmoniaError` if there is none, it is unsigned, or it was changed after it was
    signed."""
    remedy = f"the coordinator signs it with: harmonia release sign --home {home} --key KEYFILE --name NAME --day DATE"
    for name in (POLICY, SIGNATURE, signature.PUBLIC_KEY):
        if not (home / name).is_file():
            raise HarmoniaError(f"the disclosure policy of {home} is not signed ({name} is missing), so nothing is published: {remedy}")
    content = _read_policy_file(home / POLICY)
    try:
        record = json.loads(_read_policy_file(home / SIGNATURE))
        is_valid = signature.is_valid_signature(
            home, _make_policy_message_to_sign(content, record["name"], record["day"]), record["signature"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        is_valid = False
    if not is_valid:
        raise HarmoniaError(
            f"{home / POLICY} was changed after it was signed, or not signed by the key of {signature.PUBLIC_KEY}: {remedy}"
        )
    programme = parse_programme(_parse_policy(content, home / POLICY))
    return Policy(programme, content, hashlib.sha256(content).hexdigest(), record["name"], record["day"])


def _read_policy_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None


def _parse_policy(content: bytes, path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise HarmoniaError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise HarmoniaError(f"{path}: not a policy; see docs/reference/releases.md")
    return raw
