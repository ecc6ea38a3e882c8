"""Databases: the tables of a contract as files, read in one consistent snapshot. SQLAlchemy over PostgreSQL, MariaDB or MySQL, SQL
Server, Oracle.

Belongs here: connection, snapshot, statements. Does not belong here: the form of the files (`table_files`), when a snapshot is due
(`steps`). Only the columns that the contract declares are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.exc import DBAPIError, InterfaceError, NoSuchTableError, OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import BLOB, CLOB, JSON, LargeBinary, Text

from pipelines.pull.failure import PullError, as_pull_error
from pipelines.pull.source import ANSWER_SECONDS, CLOSED, MIB, Look, Offer, Problem, Request, SecretPlace, Secrets, Source
from pipelines.pull.table_files import ROWS, Rows, write_delimited, write_sqlite
from sources.contract import Contract, FileSpec, TableSpec

Kind = Literal["postgresql", "mariadb", "mysql", "sqlserver", "oracle"]
_QUERY_SECONDS = 900  # without an answer
_UNSORTED = (BLOB, CLOB, JSON, LargeBinary, Text)  # types that not every database can sort by
_NOT_TRANSACTIONAL = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = :place AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
)


@dataclass(frozen=True)
class TableSource:
    """Where a table of the contract comes from. `name`: the table or view; `columns`: declared column -> the one there, where they differ;
    `day`: column that limits the rows to the period; `changed`: column that grows with every change, so that an unchanged table is not
    read again."""

    __pydantic_config__: ClassVar = CLOSED

    name: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    day: str | None = None
    changed: str | None = None


@dataclass(frozen=True)
class Server:
    """What one product needs: SQLAlchemy's driver, how a snapshot begins, its codes for a refused login and an impossible snapshot."""

    driver: str
    begin: tuple[str, ...]
    refused: tuple[str, ...]
    no_snapshot: tuple[str, ...]
    isolation: str | None = None  # set by SQLAlchemy, where it must be set outside of a transaction
    options: Mapping[str, Any] = field(default_factory=dict)


SERVERS: Mapping[str, Server] = {
    "postgresql": Server(
        "postgresql+psycopg",
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
        ("28000", "28P01", "3D000", "42501"),
        ("40001", "25006"),
        options={
            "connect_timeout": ANSWER_SECONDS,
            "tcp_user_timeout": ANSWER_SECONDS * 1000,
            "keepalives_idle": ANSWER_SECONDS // 3,
            "keepalives_interval": ANSWER_SECONDS // 3,
            "keepalives_count": 2,
        },
    ),
    "mysql": Server(
        "mysql+pymysql",
        ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
        ("1044", "1045", "1142", "1143", "1370"),
        ("1412",),
        options={"connect_timeout": ANSWER_SECONDS, "read_timeout": _QUERY_SECONDS, "charset": "utf8mb4"},
    ),
    "sqlserver": Server(
        "mssql+pymssql",
        (),
        ("18456", "4060", "229", "916"),
        ("3951", "3952", "3960", "3961"),
        "SNAPSHOT",
        options={"login_timeout": ANSWER_SECONDS, "charset": "UTF-8", "tds_version": "7.4"},
    ),
    "oracle": Server(
        "oracle+oracledb",
        ("SET TRANSACTION READ ONLY",),
        ("1017", "1031", "4001", "28000", "28001"),  # 4001: the driver's, no login was given
        ("1555", "8177", "1453"),
        options={"tcp_connect_timeout": ANSWER_SECONDS, "expire_time": 1},
    ),
}


_REFUSED = re.compile("authentication failed|no pg_hba.conf entry|does not exist|no password supplied", re.IGNORECASE)  # libpq has no codes
_CERTIFICATE = re.compile("certificate|SSL", re.IGNORECASE)


@dataclass(frozen=True)
class DatabaseTable:
    """A table as it is in the database: the columns that the contract and `TableSource` name, by that name."""

    spec: TableSpec
    table: sa.TableClause
    columns: Mapping[str, sa.ColumnClause[Any]]


@dataclass(frozen=True, kw_only=True)
class Database(Source):
    """`days`: days after the end of a period on which a snapshot is due (default: the contract's `due_days`); `tables`: table of the
    contract -> where it comes from (default: the table of the same name); `ca`: certificates that the server is verified with."""

    secret: ClassVar = ("password",)

    kind: Kind
    user: str
    database: str
    host: str | None = None  # PostgreSQL and MariaDB also take the folder or path of a socket
    port: int | None = None
    password: SecretPlace | None = None
    schema: str | None = None
    tables: Mapping[str, TableSource] = field(default_factory=dict)
    days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = ()
    ca: Path | None = None

    @property
    def server(self) -> Server:
        """What the product needs."""
        return SERVERS["mysql" if self.kind == "mariadb" else self.kind]

    def look(self, secrets: Secrets, request: Request) -> Look:
        """The period that is due; its state is known where every table declares `changed`."""
        if request.period is None or request.days is None:
            return Look()
        for attempt in self.retrying():
            with attempt, self._snapshot(secrets) as db:
                tables = [table for file in request.contract.files for table in self._tables(db, request.contract, file)]
                counts = {table.spec.name: self._rows_and_mark(db, table, request.days) for table in tables}
                if not any(rows for rows, _ in counts.values()):
                    return Look(problems=[Problem(request.period, "pull-folder-empty", "no table has a row")])
                certain = all((at := self.tables.get(name)) and at.changed for name in counts)
                state = hashlib.sha256(json.dumps([request.period, counts], sort_keys=True).encode()).hexdigest()
                return Look([Offer(request.period, state if certain else None)])
        raise AssertionError  # the last attempt raises

    def fetch(self, secrets: Secrets, request: Request, offer: Offer, folder: Path) -> dict[str, str]:
        """Read all tables in one snapshot and write the files of the contract."""
        for attempt in self.retrying():
            with attempt, self._snapshot(secrets) as db:
                return {file.name: self._write(db, request, file, folder / file.name) for file in request.contract.files}
        raise AssertionError  # the last attempt raises

    def _write(self, db: sa.Connection, request: Request, file: FileSpec, target: Path) -> str:
        tables = [(table.spec, self._rows(db, table, request.days)) for table in self._tables(db, request.contract, file)]
        if file.reader == "database":
            return write_sqlite(tables, target, self.largest * MIB)
        return write_delimited(*tables[0], file.options, target, self.largest * MIB)

    def url(self, secrets: Secrets) -> sa.URL:
        """The address with login; for a socket the host is a query."""
        socket = self.host is not None and self.host.startswith("/")
        query = {"host" if self.kind == "postgresql" else "unix_socket": self.host or ""} if socket else {}
        name = {"query": {"service_name": self.database}} if self.kind == "oracle" else {"database": self.database, "query": query}
        return sa.URL.create(self.server.driver, self.user, secrets.get("password"), None if socket else self.host, self.port, **name)

    def _engine(self, secrets: Secrets) -> sa.Engine:
        options = dict(self.server.options)
        if self.ca is not None:
            options |= self._verified(str(self.ca))
        if self.kind == "oracle":
            import oracledb

            oracledb.defaults.fetch_lobs = False
        engine = sa.create_engine(self.url(secrets), poolclass=NullPool, hide_parameters=True, connect_args=options)
        return engine.execution_options(isolation_level=self.server.isolation) if self.server.isolation else engine

    def _verified(self, ca: str) -> dict[str, Any]:
        if self.kind == "postgresql":
            return {"sslmode": "verify-full", "sslrootcert": ca}
        if self.server is SERVERS["mysql"]:
            return {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
        raise PullError("pull-not-configured", f"ca: set it in the settings of {'FreeTDS' if self.kind == 'sqlserver' else 'the wallet'}")

    @contextmanager
    def _snapshot(self, secrets: Secrets) -> Iterator[sa.Connection]:
        """A connection inside one read-only, consistent snapshot. Raises `PullError`."""
        with as_pull_error():
            engine = self._engine(secrets)
            try:
                with engine.connect() as db:
                    for statement in self.server.begin:
                        db.exec_driver_sql(statement)
                    if self.server is SERVERS["mysql"]:
                        self._require_transactions(db)
                    yield db
            except DBAPIError as error:
                raise self._reason(error) from None
            finally:
                engine.dispose()

    def _require_transactions(self, db: sa.Connection) -> None:
        """Engines other than InnoDB show every statement another state."""
        used = {at.name or name for name, at in self.tables.items()}
        place = {"place": self.schema or self.database}
        odd = sorted(name for (name,) in db.execute(sa.text(_NOT_TRANSACTIONAL), place) if not used or name in used)
        if odd:
            raise PullError("pull-snapshot", f"{odd[0]}: not InnoDB")

    def _reason(self, error: DBAPIError) -> PullError:
        """The rule behind an error of a driver, by the codes of the product."""
        codes = _codes(error.orig)
        if codes.intersection(self.server.refused):
            return PullError("pull-refused")
        if codes.intersection(self.server.no_snapshot):
            return PullError("pull-snapshot")
        message = str(error.orig)  # looked at, never shown
        if isinstance(error, OperationalError) and _CERTIFICATE.search(message):
            return PullError("pull-certificate")
        if isinstance(error, OperationalError) and _REFUSED.search(message):
            return PullError("pull-refused")
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return PullError("pull-unreachable", "the connection was refused or cut", transient=True)
        return PullError("pull-failed", type(error.orig).__name__)

    def _tables(self, db: sa.Connection, agreed: Contract, file: FileSpec) -> list[DatabaseTable]:
        """The tables of a file; a crosswalk is there only where records were renumbered. Raises `PullError` where another is missing."""
        found = ((agreed.tables[name], self._table(db, agreed.tables[name])) for name in file.tables)
        there = [(spec, table) for spec, table in found if table is not None or spec.crosswalk is None]
        if missing := [self._name(spec) for spec, table in there if table is None]:
            raise PullError("pull-table-missing", ", ".join(missing))
        return [table for _, table in there if table is not None]

    def _name(self, spec: TableSpec) -> str:
        return self.tables.get(spec.name, TableSource()).name or spec.name

    def _table(self, db: sa.Connection, spec: TableSpec) -> DatabaseTable | None:
        """The table with the declared columns, or None. Raises `PullError` where one of them is missing."""
        at = self.tables.get(spec.name, TableSource())
        name = self._name(spec)
        try:
            there = {str(column["name"]): column["type"] for column in sa.inspect(db).get_columns(name, schema=self.schema)}
        except NoSuchTableError:
            return None
        if not there:
            return None
        folded = {one.casefold(): one for one in there}
        wanted = {column.name: at.columns.get(column.name, column.name) for column in spec.columns}
        limits = [one for one in (at.day, at.changed) if one]
        missing = [one for one in (*wanted.values(), *limits) if one.casefold() not in folded]
        if missing:
            raise PullError("pull-column-missing", f"{name}: {', '.join(sorted(missing))}")
        found = {declared: folded[one.casefold()] for declared, one in wanted.items()} | {one: folded[one.casefold()] for one in limits}
        columns = [sa.column(one, there[one]) for one in dict.fromkeys(found.values())]
        table = sa.table(name, *columns, schema=self.schema)
        return DatabaseTable(spec, table, {declared: table.c[one] for declared, one in found.items()})

    def _rows(self, db: sa.Connection, table: DatabaseTable, days: tuple[date, date] | None) -> Rows:
        """The rows of a table in a fixed order, `ROWS` at a time."""
        with db.execution_options(stream_results=True, max_row_buffer=ROWS).execute(self.statement(table, days)) as result:
            yield from (rows for rows in result.yield_per(ROWS).partitions())

    def statement(self, table: DatabaseTable, days: tuple[date, date] | None) -> sa.Select[Any]:
        """The declared columns; by key, then by all others, so that the same rows give the same bytes."""
        spec = table.spec
        columns = [table.columns[column.name].label(column.name) for column in spec.columns]
        order = [table.columns[name] for name in dict.fromkeys((*spec.key, *(column.name for column in spec.columns)))]
        sortable = [one for one in order if not isinstance(one.type, _UNSORTED) or self.kind in ("postgresql", "mysql", "mariadb")]
        return sa.select(*columns).where(*self._limits(table, days)).order_by(*sortable)

    def _limits(self, table: DatabaseTable, days: tuple[date, date] | None) -> list[sa.ColumnElement[bool]]:
        at = self.tables.get(table.spec.name)
        if at is None or at.day is None or days is None:
            return []
        column = table.columns[at.day]
        return [column >= days[0], column < days[1] + timedelta(days=1)]

    def _rows_and_mark(self, db: sa.Connection, table: DatabaseTable, days: tuple[date, date]) -> tuple[int, str]:
        at = self.tables.get(table.spec.name)
        mark = sa.func.max(table.columns[at.changed]) if at and at.changed else sa.null()
        row = db.execute(sa.select(sa.func.count(), mark).select_from(table.table).where(*self._limits(table, days))).one()
        return int(row[0]), str(row[1])


def _codes(error: Any) -> set[str]:
    """The codes of a driver's error: SQLSTATE, or the number with or without leading words (`ORA-01017`)."""
    found = {str(getattr(error, "sqlstate", None)), str(getattr(error, "number", None))}
    for one in getattr(error, "args", ()):
        found.add(str(one[0]) if isinstance(one, tuple) and one else str(one))
        found.add(str(getattr(one, "code", None)))  # oracledb
    return found
