"""Make and verify the coordinator's signature (Ed25519) of a message with name and day.

Belongs here: the private key's file, signing, verifying against a home's `coordinator.pub`. Does not belong here: what is signed (`policy`,
`warehouse/exports/transmission_approval`).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError, convert_storage_errors

PUBLIC_KEY = "coordinator.pub"


def make_message_to_sign(document_kind: str, name: str, day: str, sha256: str) -> bytes:
    """Return the message to sign. It consists of the kind of document, the name of the signer, the day, and the hash of the document. It
    contains the kind so that a signature is valid for one kind of document only."""
    return "\n".join([document_kind, name, day, sha256]).encode()


def sign_content(home: Path, key_file: Path, content: bytes) -> str:
    """Sign `content` and return the signature as text. key_file: the coordinator's private key (PEM); created if it does not exist.

    The first signature creates the home's `coordinator.pub`; later ones must be by the same key. Raises `HarmoniaError` for another key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private_key = _load_or_create_private_key(key_file)
    public_key = private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stored = home / PUBLIC_KEY
    if stored.is_file() and stored.read_bytes() != public_key:
        raise HarmoniaError(f"{key_file} does not match {stored}: sign with the coordinator's key, or remove that file to change the key")
    with convert_storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(public_key)
    return base64.b64encode(private_key.sign(content)).decode()


def is_valid_signature(home: Path, content: bytes, signature: str) -> bool:
    """Return whether `signature` is a valid signature of `content` by the key of the home's `coordinator.pub`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key: Any = load_pem_public_key((home / PUBLIC_KEY).read_bytes())
        key.verify(base64.b64decode(signature), content)
    except (InvalidSignature, ValueError, TypeError, AttributeError, OSError):
        return False
    return True


def _load_or_create_private_key(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    if not path.is_file():
        new_key = Ed25519PrivateKey.generate()
        with convert_storage_errors(path):
            path.touch(0o600)
            path.write_bytes(new_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return new_key
    try:
        loaded_key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise HarmoniaError(f"{path}: is not a private key in PEM without a password") from None
    if not isinstance(loaded_key, Ed25519PrivateKey):
        raise HarmoniaError(f"{path}: is not an Ed25519 key")
    return loaded_key
