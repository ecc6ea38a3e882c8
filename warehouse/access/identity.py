"""The identity store on PostgreSQL: nobody reads its tables directly; stewards make a request and read the requested rows by functions.

Belongs here: the functions. Does not belong here: the log's table (`warehouse/access/log`), who may call them (`roles.yaml`).

    SELECT identity.request('person', 'P0000123', 'complaint 14/2026');   -- 7; written to audit.identity_requests
    SELECT * FROM identity.read_persons(7);                               -- in a separate transaction, within 15 minutes

If a function wrote its log row while reading, its caller could roll the row back. So a request is honoured only after it is committed:
everything that was shown is in the log.
"""

from __future__ import annotations

from sqlalchemy import Table

from warehouse import tables
from warehouse.access.log import AUDIT, REQUESTS, chained
from warehouse.stores import IDENTITY

MINUTES = 15
_LOG = f"{AUDIT}.{REQUESTS.name}"
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

_REQUEST = f"""
CREATE FUNCTION {IDENTITY}.request(kind text, subject text, reason text) RETURNS bigint {_DEFINER} SET lock_timeout = '10s' AS $$
DECLARE asked {_LOG}; before text;
BEGIN
  IF kind IS NULL OR kind NOT IN ('person', 'case', 'record', 'pseudonym', 'all') THEN
    RAISE EXCEPTION 'ask for a person, case, record, pseudonym or all' USING ERRCODE = 'invalid_parameter_value';
  ELSIF kind <> 'all' AND btrim(coalesce(subject, '')) = '' THEN
    RAISE EXCEPTION 'say which %', kind USING ERRCODE = 'invalid_parameter_value';
  ELSIF btrim(coalesce(reason, '')) = '' THEN
    RAISE EXCEPTION 'say why: the reason is written to the log' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  LOCK TABLE {_LOG} IN SHARE ROW EXCLUSIVE MODE; -- one after another, as each row's chain is over the one before
  before := coalesce((SELECT chain FROM {_LOG} ORDER BY ticket DESC LIMIT 1), '');
  asked := (nextval(pg_get_serial_sequence('{_LOG}', 'ticket')), clock_timestamp(), session_user, inet_client_addr()::text, kind,
            CASE WHEN kind <> 'all' THEN btrim(subject) END, btrim(reason), pg_current_xact_id()::text, NULL);
  asked.chain := {chained("before", "asked.")};
  INSERT INTO {_LOG} OVERRIDING SYSTEM VALUE SELECT asked.*;
  RETURN asked.ticket;
END $$"""
_HONOURED = f"""
CREATE FUNCTION {IDENTITY}.honoured(number bigint) RETURNS {_LOG} {_DEFINER} AS $$
DECLARE asked {_LOG};
BEGIN
  SELECT * INTO asked FROM {_LOG} r WHERE r.ticket = number AND r.login = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this login made no request %: make one with {IDENTITY}.request', number USING ERRCODE = 'insufficient_privilege';
  ELSIF asked.transaction = pg_current_xact_id_if_assigned()::text THEN
    RAISE EXCEPTION 'request % is not committed yet: commit it, then read', number USING ERRCODE = 'insufficient_privilege';
  ELSIF asked.at < clock_timestamp() - interval '{MINUTES} minutes' THEN
    RAISE EXCEPTION 'request % is older than {MINUTES} minutes: make another', number USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN asked;
END $$"""


def _read(table: Table) -> str:
    """The function that returns the requested rows of `table`."""
    record = "t.institution = split_part(asked.subject, ':', 1) AND t.record_key = substr(asked.subject, strpos(asked.subject, ':') + 1)"
    of_pseudonym = (
        f"(t.institution, t.record_key) IN (SELECT c.institution, c.record_key FROM {IDENTITY}.{tables.CROSSWALK.name} c "
        "WHERE c.pseudonym = asked.subject)"
    )
    kinds = {"all": "true", "record": record, "pseudonym": of_pseudonym}
    kinds |= {kind: f"t.{kind}_id = asked.subject" for kind in ("person", "case") if f"{kind}_id" in table.columns}
    choice = " ".join(f"WHEN '{kind}' THEN {condition}" for kind, condition in kinds.items())
    return f"""
CREATE FUNCTION {IDENTITY}.read_{table.name}(number bigint) RETURNS SETOF {IDENTITY}.{table.name} {_DEFINER} AS $$
DECLARE asked {_LOG} := {IDENTITY}.honoured(number);
BEGIN
  RETURN QUERY SELECT t.* FROM {IDENTITY}.{table.name} t WHERE CASE asked.kind {choice} ELSE false END;
END $$"""


FUNCTIONS: dict[str, str] = {
    f"{IDENTITY}.request(text, text, text)": _REQUEST,
    **{f"{IDENTITY}.read_{table.name}(bigint)": _read(table) for table in tables.IDENTITY.sorted_tables},
}
"""The functions that stewards call, and their definitions."""
OWN_FUNCTIONS: dict[str, str] = {f"{IDENTITY}.honoured(bigint)": _HONOURED}
"""Functions that only those call."""
