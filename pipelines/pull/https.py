"""HTTPS as a source. A folder is a page of links, as web servers make them (Apache, nginx, `python -m http.server`).

Belongs here: the connection, with the library `requests`. The HTTP file system of fsspec is not used, since it takes any error for a
missing file, and follows redirects.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, unquote, urljoin, urlsplit

from pydantic import Field

from pipelines.pull.errors import PullError
from pipelines.pull.file_source import CHUNK_BYTES, FileSource, RemoteEntry
from pipelines.pull.source import ANSWER_SECONDS, MIB, SecretLocation, Secrets

_MAX_PAGE_BYTES = 4 * MIB
_REFUSED_STATUSES, _MISSING_STATUSES = (401, 403, 407), (404, 410)


@dataclass(frozen=True, kw_only=True)
class Https(FileSource):
    """The declaration of an HTTPS server as a source.

    `ca` is a file with certificates, by which the server is verified (default: those of the system). `certificate` and `key` are those of
    this client. `token` is sent to the server as `Authorization: Bearer`.
    """

    secret: ClassVar = ("token",)

    kind: Literal["https"]
    url: Annotated[str, Field(pattern=r"^https://[^@?#]+$")]
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: SecretLocation | None = None

    @contextmanager
    def connect(self, secrets: Secrets) -> Iterator[_HttpsConnection]:
        """Open a session that uses no proxy and no stored passwords (netrc), and follows no redirects."""
        import requests

        for name in ("ca", "certificate", "key"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise PullError("pull-no-secret", f"{name}: its file cannot be read")
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.ca) if self.ca else True
            if self.certificate:
                session.cert = (str(self.certificate), str(self.key)) if self.key else str(self.certificate)
            session.headers["Accept-Encoding"] = "identity"
            if "token" in secrets:
                session.headers["Authorization"] = f"Bearer {secrets['token']}"
            yield _HttpsConnection(session, self.url.rstrip("/") + "/")


class _HttpsConnection:
    """An open session with a server, in which paths are relative to the URL `root`."""

    def __init__(self, session: Any, root: str) -> None:
        self._session, self._root = session, root

    def list_entries(self, folder: str) -> list[RemoteEntry]:
        """Return the files and folders to which the page of a folder links. The size and mark of each file come from a HEAD request."""
        from lxml import html

        url = self._make_url(f"{folder}/" if folder else "")
        with self._send_request("get", url) as answer:
            page = b"".join(_read_page(answer))
        if not page.strip():
            return []
        entries: dict[str, RemoteEntry] = {}
        for anchor in html.fromstring(page).iter("a"):
            target = urlsplit(urljoin(url, anchor.get("href", "")))
            inside = target.geturl().startswith(url) and not target.query and not target.fragment
            name = unquote(target.path[len(urlsplit(url).path) :]) if inside else ""
            if name.rstrip("/") and "/" not in name[:-1]:
                entries[name] = RemoteEntry(name[:-1], "folder") if name.endswith("/") else self._request_file_entry(folder, name)
        return list(entries.values())

    def read_chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises an error if there are fewer bytes than the server announced."""
        with self._send_request("get", self._make_url(path)) as answer:
            yield from answer.iter_content(CHUNK_BYTES)

    def _request_file_entry(self, folder: str, name: str) -> RemoteEntry:
        with self._send_request("head", self._make_url(f"{folder}/{name}" if folder else name)) as answer:
            length, headers = answer.headers.get("Content-Length", ""), answer.headers
        mark = " ".join(headers[key] for key in ("ETag", "Last-Modified") if key in headers)
        return RemoteEntry(name, "file", int(length) if length.isdigit() else None, mark)

    def _make_url(self, path: str) -> str:
        return self._root + quote(path)

    @contextmanager
    def _send_request(self, method: str, url: str) -> Iterator[Any]:
        """Send a request and yield the answer. Raises `PullError` if the answer has any status other than 200."""
        timeout = (ANSWER_SECONDS, ANSWER_SECONDS)
        with self._session.request(method, url, stream=True, allow_redirects=False, timeout=timeout) as answer:
            if answer.status_code in _REFUSED_STATUSES:
                raise PullError("pull-refused", f"status {answer.status_code}")
            if answer.status_code in _MISSING_STATUSES:
                raise PullError("pull-folder-missing", f"status {answer.status_code}")
            if answer.status_code != 200:
                transient = answer.status_code >= 500 or answer.status_code == 429
                rule = "pull-unreachable" if transient else "pull-failed"
                raise PullError(rule, f"status {answer.status_code}", transient=transient)
            yield answer


def _read_page(answer: Any) -> Iterator[bytes]:
    """Yield the bytes of the page of a folder. Raises `PullError` if it is too large."""
    room = _MAX_PAGE_BYTES
    for chunk in answer.iter_content(64 << 10):
        room -= len(chunk)
        if room < 0:
            raise PullError("pull-too-large", f"the page of a folder: more than {_MAX_PAGE_BYTES // MIB} MiB")
        yield chunk
