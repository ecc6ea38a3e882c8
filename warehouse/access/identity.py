"""Functions of the identity store on PostgreSQL. Nobody reads its tables directly: stewards make a request, then read the requested rows.

Belongs here: these functions. Does not belong here: the table of the log (`warehouse/access/log`), who may call the functions
(`roles.yaml`).

    SELECT identity.request('person', 'P0000123', 'complaint 14/2026');   -- 7; written to audit.identity_requests
    SELECT * FROM identity.read_persons(7);                               -- in a separate transaction, within 15 minutes

If one function both wrote the log and returned the rows, its caller could read the rows and then roll back the entry in the log. So a
request can be used only after it was committed, and everything that was shown is in the log.
"""

from __future__ import annotations

from sqlalchemy import Table

from warehouse import tables
from warehouse.access.log import AUDIT, REQUESTS, make_sql_of_log_row_hash
from warehouse.stores import IDENTITY

VALID_MINUTES = 15
_LOG = f"{AUDIT}.{REQUESTS.name}"
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

_REQUEST = f"""
CREATE FUNCTION {IDENTITY}.request(kind text, subject text, reason text) RETURNS bigint {_DEFINER} SET lock_timeout = '10s' AS $$
DECLARE entry {_LOG}; previous text;
BEGIN
  IF kind IS NULL OR kind NOT IN ('person', 'case', 'record', 'pseudonym', 'all') THEN
    RAISE EXCEPTION 'ask for a person, case, record, pseudonym or all' USING ERRCODE = 'invalid_parameter_value';
  ELSIF kind <> 'all' AND btrim(coalesce(subject, '')) = '' THEN
    RAISE EXCEPTION 'say which %', kind USING ERRCODE = 'invalid_parameter_value';
  ELSIF btrim(coalesce(reason, '')) = '' THEN
    RAISE EXCEPTION 'say why: the reason is written to the log' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  LOCK TABLE {_LOG} IN SHARE ROW EXCLUSIVE MODE; -- one after another, as each row's chain is over the one before
  previous := coalesce((SELECT chain FROM {_LOG} ORDER BY ticket DESC LIMIT 1), '');
  entry := (nextval(pg_get_serial_sequence('{_LOG}', 'ticket')), clock_timestamp(), session_user, inet_client_addr()::text, kind,
            CASE WHEN kind <> 'all' THEN btrim(subject) END, btrim(reason), pg_current_xact_id()::text, NULL);
  entry.chain := {make_sql_of_log_row_hash("previous", "entry.")};
  INSERT INTO {_LOG} OVERRIDING SYSTEM VALUE SELECT entry.*;
  RETURN entry.ticket;
END $$"""
_COMMITTED_REQUEST = f"""
CREATE FUNCTION {IDENTITY}.committed_request(number bigint) RETURNS {_LOG} {_DEFINER} AS $$
DECLARE entry {_LOG};
BEGIN
  SELECT * INTO entry FROM {_LOG} r WHERE r.ticket = number AND r.login = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this login made no request %: make one with {IDENTITY}.request', number USING ERRCODE = 'insufficient_privilege';
  ELSIF entry.transaction = pg_current_xact_id_if_assigned()::text THEN
    RAISE EXCEPTION 'request % is not committed yet: commit it, then read', number USING ERRCODE = 'insufficient_privilege';
  ELSIF entry.at < clock_timestamp() - interval '{VALID_MINUTES} minutes' THEN
    RAISE EXCEPTION 'request % is older than {VALID_MINUTES} minutes: make another', number USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN entry;
END $$"""


def _make_sql_of_function_for_requested_rows(table: Table) -> str:
    """Return the SQL of the function that returns the requested rows of `table`."""
    record = "t.institution = split_part(entry.subject, ':', 1) AND t.record_key = substr(entry.subject, strpos(entry.subject, ':') + 1)"
    has_pseudonym = (
        f"(t.institution, t.record_key) IN (SELECT c.institution, c.record_key FROM {IDENTITY}.{tables.CROSSWALK.name} c "
        "WHERE c.pseudonym = entry.subject)"
    )
    kinds = {"all": "true", "record": record, "pseudonym": has_pseudonym}
    kinds |= {kind: f"t.{kind}_id = entry.subject" for kind in ("person", "case") if f"{kind}_id" in table.columns}
    condition_by_kind = " ".join(f"WHEN '{kind}' THEN {condition}" for kind, condition in kinds.items())
    return f"""
CREATE FUNCTION {IDENTITY}.read_{table.name}(number bigint) RETURNS SETOF {IDENTITY}.{table.name} {_DEFINER} AS $$
DECLARE entry {_LOG} := {IDENTITY}.committed_request(number);
BEGIN
  RETURN QUERY SELECT t.* FROM {IDENTITY}.{table.name} t WHERE CASE entry.kind {condition_by_kind} ELSE false END;
END $$"""


STEWARD_FUNCTIONS: dict[str, str] = {
    f"{IDENTITY}.request(text, text, text)": _REQUEST,
    **{f"{IDENTITY}.read_{table.name}(bigint)": _make_sql_of_function_for_requested_rows(table) for table in tables.IDENTITY.sorted_tables},
}
"""The functions that stewards call: for each signature, the SQL that creates the function."""
INTERNAL_FUNCTIONS: dict[str, str] = {f"{IDENTITY}.committed_request(bigint)": _COMMITTED_REQUEST}
"""The functions that only the functions of stewards call: for each signature, the SQL that creates the function."""
