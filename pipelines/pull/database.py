"""Databases as sources: the tables that a contract declares are read in one consistent snapshot, and written as files.

Belongs here: the connection, the snapshot, the SQL statements. SQLAlchemy connects to PostgreSQL, MariaDB, MySQL, SQL Server and Oracle.
Does not belong here: the format of the files (`table_files`), when a snapshot is due (`pulling`). Only the columns that the contract
declares are read.
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

from pipelines.pull.errors import PullError, convert_errors_to_pull_errors
from pipelines.pull.source import (
    ANSWER_SECONDS,
    CLOSED,
    MIB,
    DeliveryOffer,
    LookResult,
    SecretLocation,
    Secrets,
    Source,
    SourceProblem,
    SourceRequest,
)
from pipelines.pull.table_files import BATCH_ROWS, Rows, write_delimited_file, write_sqlite_file
from sources.contract import Contract, FileSpec, TableSpec

Kind = Literal["postgresql", "mariadb", "mysql", "sqlserver", "oracle"]
_QUERY_SECONDS = 900  # seconds to wait for an answer to a query
_UNSORTED = (BLOB, CLOB, JSON, LargeBinary, Text)  # types by which some databases cannot sort
_NOT_TRANSACTIONAL = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = :place AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
)


@dataclass(frozen=True)
class TableSource:
    """Where the rows of a table of the contract are in the database.

    - `name`: the table or view in the database; the default is the name of the table in the contract
    - `columns`: maps columns of the contract to columns of the database, where the names differ
    - `day`: the column with the day by which the rows of a period are selected
    - `changed`: a column whose largest value grows with every change, so that an unchanged table need not be read again
    """

    __pydantic_config__: ClassVar = CLOSED

    name: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    day: str | None = None
    changed: str | None = None


@dataclass(frozen=True)
class DatabaseProduct:
    """The properties of a database product.

    `driver` is the driver for SQLAlchemy. `begin` has the statements that begin a snapshot. `refused` has the error codes for a refused
    login, and `no_snapshot` those for a snapshot that cannot be made.
    """

    driver: str
    begin: tuple[str, ...]
    refused: tuple[str, ...]
    no_snapshot: tuple[str, ...]
    isolation: str | None = None  # isolation level, if it must be set before a transaction begins
    options: Mapping[str, Any] = field(default_factory=dict)


SERVERS: Mapping[str, DatabaseProduct] = {
    "postgresql": DatabaseProduct(
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
    "mysql": DatabaseProduct(
        "mysql+pymysql",
        ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
        ("1044", "1045", "1142", "1143", "1370"),
        ("1412",),
        options={"connect_timeout": ANSWER_SECONDS, "read_timeout": _QUERY_SECONDS, "charset": "utf8mb4"},
    ),
    "sqlserver": DatabaseProduct(
        "mssql+pymssql",
        (),
        ("18456", "4060", "229", "916"),
        ("3951", "3952", "3960", "3961"),
        "SNAPSHOT",
        options={"login_timeout": ANSWER_SECONDS, "charset": "UTF-8", "tds_version": "7.4"},
    ),
    "oracle": DatabaseProduct(
        "oracle+oracledb",
        ("SET TRANSACTION READ ONLY",),
        ("1017", "1031", "4001", "28000", "28001"),  # 4001 comes from the driver: no login was given
        ("1555", "8177", "1453"),
        options={"tcp_connect_timeout": ANSWER_SECONDS, "expire_time": 1},
    ),
}


_REFUSED = re.compile("authentication failed|no pg_hba.conf entry|does not exist|no password supplied", re.IGNORECASE)  # libpq has no codes
_CERTIFICATE = re.compile("certificate|SSL", re.IGNORECASE)


@dataclass(frozen=True)
class DatabaseTable:
    """A table in the database, with the columns that the contract and `TableSource` name, by these names."""

    spec: TableSpec
    table: sa.TableClause
    columns: Mapping[str, sa.ColumnClause[Any]]


@dataclass(frozen=True, kw_only=True)
class Database(Source):
    """The declaration of a database as a source.

    `days` has the numbers of days after the end of a period at which a snapshot is due (default: `due_days` of the contract). `tables` maps
    each table of the contract to where it is (default: the table with the same name). `ca` is a file with certificates, by which the server
    is verified.
    """

    secret: ClassVar = ("password",)

    kind: Kind
    user: str
    database: str
    host: str | None = None  # PostgreSQL and MariaDB also take the folder or path of a socket
    port: int | None = None
    password: SecretLocation | None = None
    schema: str | None = None
    tables: Mapping[str, TableSource] = field(default_factory=dict)
    days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = ()
    ca: Path | None = None

    @property
    def product(self) -> DatabaseProduct:
        """The properties of the database product."""
        return SERVERS["mysql" if self.kind == "mariadb" else self.kind]

    def look_for_deliveries(self, secrets: Secrets, request: SourceRequest) -> LookResult:
        """Offer the period for which a snapshot is due; offer nothing if none is due.

        It can be told that a period has not changed only if every table declares `changed`. Otherwise the state of the offer is None.
        """
        if request.period is None or request.days is None:
            return LookResult()
        for attempt in self.make_attempts():
            with attempt, self._open_snapshot(secrets) as db:
                tables = [table for file in request.contract.files for table in self._find_tables(db, request.contract, file)]
                counts = {table.spec.name: self._count_rows(db, table, request.days) for table in tables}
                if not any(rows for rows, _ in counts.values()):
                    return LookResult(problems=[SourceProblem(request.period, "pull-folder-empty", "no table has a row")])
                certain = all((table_source := self.tables.get(name)) and table_source.changed for name in counts)
                state = hashlib.sha256(json.dumps([request.period, counts], sort_keys=True).encode()).hexdigest()
                return LookResult([DeliveryOffer(request.period, state if certain else None)])
        raise AssertionError  # the last attempt raises

    def fetch_delivery(self, secrets: Secrets, request: SourceRequest, offer: DeliveryOffer, folder: Path) -> dict[str, str]:
        """Read all tables in one snapshot, and write the files of the contract."""
        for attempt in self.make_attempts():
            with attempt, self._open_snapshot(secrets) as db:
                return {file.name: self._write_file(db, request, file, folder / file.name) for file in request.contract.files}
        raise AssertionError  # the last attempt raises

    def _write_file(self, db: sa.Connection, request: SourceRequest, file: FileSpec, target: Path) -> str:
        """Write a file of the contract from the tables that it contains. Return its SHA-256."""
        tables = [(table.spec, self._fetch_rows(db, table, request.days)) for table in self._find_tables(db, request.contract, file)]
        if file.reader == "database":
            return write_sqlite_file(tables, target, self.largest * MIB)
        return write_delimited_file(*tables[0], file.options, target, self.largest * MIB)

    def make_connection_url(self, secrets: Secrets) -> sa.URL:
        """Return the address of the database, with the login. The path of a socket is passed as a parameter of the address."""
        socket = self.host is not None and self.host.startswith("/")
        query = {"host" if self.kind == "postgresql" else "unix_socket": self.host or ""} if socket else {}
        name = {"query": {"service_name": self.database}} if self.kind == "oracle" else {"database": self.database, "query": query}
        return sa.URL.create(self.product.driver, self.user, secrets.get("password"), None if socket else self.host, self.port, **name)

    def _create_engine(self, secrets: Secrets) -> sa.Engine:
        options = dict(self.product.options)
        if self.ca is not None:
            options |= self._make_certificate_options(str(self.ca))
        if self.kind == "oracle":
            import oracledb

            oracledb.defaults.fetch_lobs = False
        engine = sa.create_engine(self.make_connection_url(secrets), poolclass=NullPool, hide_parameters=True, connect_args=options)
        return engine.execution_options(isolation_level=self.product.isolation) if self.product.isolation else engine

    def _make_certificate_options(self, ca: str) -> dict[str, Any]:
        if self.kind == "postgresql":
            return {"sslmode": "verify-full", "sslrootcert": ca}
        if self.product is SERVERS["mysql"]:
            return {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
        raise PullError("pull-not-configured", f"ca: set it in the settings of {'FreeTDS' if self.kind == 'sqlserver' else 'the wallet'}")

    @contextmanager
    def _open_snapshot(self, secrets: Secrets) -> Iterator[sa.Connection]:
        """Open a connection in which all statements read the same consistent snapshot and none can write. Raises `PullError`."""
        with convert_errors_to_pull_errors():
            engine = self._create_engine(secrets)
            try:
                with engine.connect() as db:
                    for statement in self.product.begin:
                        db.exec_driver_sql(statement)
                    if self.product is SERVERS["mysql"]:
                        self._require_innodb(db)
                    yield db
            except DBAPIError as error:
                raise self._convert_to_pull_error(error) from None
            finally:
                engine.dispose()

    def _require_innodb(self, db: sa.Connection) -> None:
        """Raise `PullError` if a table does not use the storage engine InnoDB, since other engines have no consistent snapshots."""
        used = {table_source.name or name for name, table_source in self.tables.items()}
        parameters = {"place": self.schema or self.database}
        not_innodb = sorted(name for (name,) in db.execute(sa.text(_NOT_TRANSACTIONAL), parameters) if not used or name in used)
        if not_innodb:
            raise PullError("pull-snapshot", f"{not_innodb[0]}: not InnoDB")

    def _convert_to_pull_error(self, error: DBAPIError) -> PullError:
        """Convert an error of a database driver to a `PullError`. The error codes of the product decide on its rule."""
        codes = _list_error_codes(error.orig)
        if codes.intersection(self.product.refused):
            return PullError("pull-refused")
        if codes.intersection(self.product.no_snapshot):
            return PullError("pull-snapshot")
        message = str(error.orig)  # searched, but never shown
        if isinstance(error, OperationalError) and _CERTIFICATE.search(message):
            return PullError("pull-certificate")
        if isinstance(error, OperationalError) and _REFUSED.search(message):
            return PullError("pull-refused")
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return PullError("pull-unreachable", "the connection was refused or cut", transient=True)
        return PullError("pull-failed", type(error.orig).__name__)

    def _find_tables(self, db: sa.Connection, contract: Contract, file: FileSpec) -> list[DatabaseTable]:
        """Return the tables of the database from which a file is written.

        A crosswalk may be missing, since it exists only if records were renumbered. Raises `PullError` if any other table is missing.
        """
        candidates = ((contract.tables[name], self._find_table(db, contract.tables[name])) for name in file.tables)
        expected = [(spec, table) for spec, table in candidates if table is not None or spec.crosswalk is None]
        if missing := [self._get_table_name(spec) for spec, table in expected if table is None]:
            raise PullError("pull-table-missing", ", ".join(missing))
        return [table for _, table in expected if table is not None]

    def _get_table_name(self, spec: TableSpec) -> str:
        return self.tables.get(spec.name, TableSource()).name or spec.name

    def _find_table(self, db: sa.Connection, spec: TableSpec) -> DatabaseTable | None:
        """Return the table with the columns that the contract declares; None if there is no such table. Raises `PullError` if a column is
        missing.
        """
        table_source = self.tables.get(spec.name, TableSource())
        name = self._get_table_name(spec)
        try:
            types = {str(column["name"]): column["type"] for column in sa.inspect(db).get_columns(name, schema=self.schema)}
        except NoSuchTableError:
            return None
        if not types:
            return None
        folded = {column_name.casefold(): column_name for column_name in types}
        wanted = {column.name: table_source.columns.get(column.name, column.name) for column in spec.columns}
        limits = [column_name for column_name in (table_source.day, table_source.changed) if column_name]
        missing = [column_name for column_name in (*wanted.values(), *limits) if column_name.casefold() not in folded]
        if missing:
            raise PullError("pull-column-missing", f"{name}: {', '.join(sorted(missing))}")
        names = {declared: folded[column_name.casefold()] for declared, column_name in wanted.items()} | {
            column_name: folded[column_name.casefold()] for column_name in limits
        }
        columns = [sa.column(column_name, types[column_name]) for column_name in dict.fromkeys(names.values())]
        table = sa.table(name, *columns, schema=self.schema)
        return DatabaseTable(spec, table, {declared: table.c[column_name] for declared, column_name in names.items()})

    def _fetch_rows(self, db: sa.Connection, table: DatabaseTable, first_and_last_day: tuple[date, date] | None) -> Rows:
        """Yield the rows of a table in a fixed order, `BATCH_ROWS` at a time."""
        with db.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS).execute(
            self.build_select_statement(table, first_and_last_day)
        ) as result:
            yield from (rows for rows in result.yield_per(BATCH_ROWS).partitions())

    def build_select_statement(self, table: DatabaseTable, first_and_last_day: tuple[date, date] | None) -> sa.Select[Any]:
        """Return the statement that selects the declared columns of a table.

        Rows are ordered by key and then by all other columns, so that the same rows give the same bytes.
        """
        spec = table.spec
        columns = [table.columns[column.name].label(column.name) for column in spec.columns]
        order = [table.columns[name] for name in dict.fromkeys((*spec.key, *(column.name for column in spec.columns)))]
        sortable = [one for one in order if not isinstance(one.type, _UNSORTED) or self.kind in ("postgresql", "mysql", "mariadb")]
        return sa.select(*columns).where(*self._make_period_conditions(table, first_and_last_day)).order_by(*sortable)

    def _make_period_conditions(self, table: DatabaseTable, first_and_last_day: tuple[date, date] | None) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that select the rows of the period; none if the table has no column `day`."""
        table_source = self.tables.get(table.spec.name)
        if table_source is None or table_source.day is None or first_and_last_day is None:
            return []
        column = table.columns[table_source.day]
        return [column >= first_and_last_day[0], column < first_and_last_day[1] + timedelta(days=1)]

    def _count_rows(self, db: sa.Connection, table: DatabaseTable, first_and_last_day: tuple[date, date]) -> tuple[int, str]:
        """Return the number of rows in the period, and the largest value of the column `changed`, as text."""
        table_source = self.tables.get(table.spec.name)
        mark = sa.func.max(table.columns[table_source.changed]) if table_source and table_source.changed else sa.null()
        row = db.execute(
            sa.select(sa.func.count(), mark).select_from(table.table).where(*self._make_period_conditions(table, first_and_last_day))
        ).one()
        return int(row[0]), str(row[1])


def _list_error_codes(error: Any) -> set[str]:
    """Return the error codes that an error of a driver contains: an SQLSTATE, or a number with or without a prefix (`ORA-01017`)."""
    error_codes = {str(getattr(error, "sqlstate", None)), str(getattr(error, "number", None))}
    for argument in getattr(error, "args", ()):
        error_codes.add(str(argument[0]) if isinstance(argument, tuple) and argument else str(argument))
        error_codes.add(str(getattr(argument, "code", None)))  # oracledb
    return error_codes
