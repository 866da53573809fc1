"""Errors of the server and of the driver, as the driver's own exceptions, become typed ones that tell nothing."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_database.sql.errors import Verb, typed
from trunkline_oracle.dialect import OracleDialect

UNIQUE = "ORA-00001: unique constraint (SHOP.BOOK_CODE_KEY) violated"
NEWER = (
    "ORA-00001: unique constraint (SHOP.PK) violated on table SHOP.BOOK columns (ID)\n"
    "ORA-03301: (ORA-00001 details) row with column values (ID:77) already exists"
)
STACK = 'ORA-20001: No such luck.\nORA-06512: at "SHOP.P", line 3\nORA-06512: at line 1'

ERRORS = [
    (1, UNIQUE, "insert", 409, "A record with this value exists already.", {"constraint": "BOOK_CODE_KEY"}),
    (1, NEWER, "insert", 409, "A record with this value exists already.", {"constraint": "PK"}),
    (2291, "ORA-02291: integrity constraint (SHOP.FK) violated - parent key not found", "insert", 400,
     "The record refers to one that does not exist.", {"constraint": "FK"}),
    (2292, "ORA-02292: integrity constraint (SHOP.FK) violated - child record found", "delete", 409,
     "The record can not be deleted: others refer to it.", {"constraint": "FK"}),
    (1400, 'ORA-01400: cannot insert NULL into ("SHOP"."BOOK"."TITLE")', "insert", 400,
     "Field 'TITLE' can not be NULL.", {"field": "TITLE"}),
    (1407, 'ORA-01407: cannot update ("SHOP"."BOOK"."TITLE") to NULL', "update", 400,
     "Field 'TITLE' can not be NULL.", {"field": "TITLE"}),
    (1758, "ORA-01758: table must be empty to add mandatory (NOT NULL) column", "define", 400, "needs a default", {}),
    (2290, "ORA-02290: check constraint (SHOP.C_PAGES) violated", "insert", 400, "breaks a check",
     {"constraint": "C_PAGES"}),
    (12899, 'ORA-12899: value too large for column "SHOP"."BOOK"."CODE" (actual: 5, maximum: 3)', "insert", 400,
     "A value is too long (field 'CODE').", {"field": "CODE"}),
    (1438, "ORA-01438: value larger than specified precision", "insert", 400, "out of range", {}),
    (1426, "ORA-01426: numeric overflow", "read", 400, "out of range", {}),
    (1722, "ORA-01722: invalid number", "read", 400, "has not the type", {}),
    (1858, "ORA-01858: a non-numeric character was found", "insert", 400, "has not the type", {}),
    (1861, "ORA-01861: literal does not match format string", "insert", 400, "has not the type", {}),
    (1847, "ORA-01847: day of month must be between 1 and last day of month", "insert", 400, "has not the type", {}),
    (942, "ORA-00942: table or view does not exist", "read", 503, "no longer as it was described", None),
    (904, 'ORA-00904: "X": invalid identifier', "read", 503, "no longer as it was described", None),
    (904, 'ORA-00904: "X": invalid identifier', "define", 400, "refuses this definition", {}),
    (902, "ORA-00902: invalid datatype", "define", 400, "refuses this definition", {}),
    (932, "ORA-00932: inconsistent datatypes", "read", 400, "can not do this", {}),
    (955, "ORA-00955: name is already used by an existing object", "define", 409, "exists already", {}),
    (2449, "ORA-02449: unique/primary keys in table referenced by foreign keys", "define", 409, "depend on it", {}),
    (1031, "ORA-01031: insufficient privileges", "insert", 403, "does not permit", {}),
    (1733, "ORA-01733: virtual column not allowed here", "insert", 400, "can not be written", {}),
    (60, "ORA-00060: deadlock detected", "update", 503, "busy", None),
    (54, "ORA-00054: resource busy", "define", 503, "busy", None),
    (1013, "ORA-01013: user requested cancel of current operation", "read", 504, "too long", None),
    (1017, "ORA-01017: invalid username/password", "read", 503, "can not be reached", None),
    (12541, "ORA-12541: TNS:no listener", "read", 503, "can not be reached", None),
    (12514, "ORA-12514: TNS:listener does not currently know of service", "read", 503, "can not be reached", None),
    (3113, "ORA-03113: end-of-file on communication channel", "read", 503, "can not be reached", None),
    (3135, "ORA-03135: connection lost contact", "read", 503, "can not be reached", None),
    (0, "DPY-4011: the database or network closed the connection", "read", 503, "can not be reached", None),
    (0, "DPY-6005: cannot connect to database (CONNECTION_ID=x)", "read", 503, "can not be reached", None),
    (0, "DPY-4024: call timeout of 60000 ms exceeded", "read", 504, "too long", None),
    (20001, STACK, "call", 400, "No such luck.", {}),
    (20999, "ORA-20999: a\nb", "insert", 400, "a\nb", {}),
    (6550, "ORA-06550: line 1:\nPLS-00201: identifier 'P' must be declared", "call", 503, "no longer as it was", None),
    (6502, "ORA-06502: PL/SQL: numeric or value error", "call", 500, "could not answer", {}),
    (1, "ORA-00001: something without a name", "insert", 409, "exists already", {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "verb", "status", "message", "context"), ERRORS)
def test_each_number_is_a_kind(
    fail: Any, code: int, text: str, verb: Verb, status: int, message: str, context: dict[str, str] | None
) -> None:
    error, dialect = fail(text, code), OracleDialect()
    assert dialect.is_driver_error(error)
    found = typed(error, dialect.diagnose(error), verb)
    assert (found.status, message in found.message) == (status, True), found.message
    told = {name: value for name, value in (found.context or {}).items() if name != "sqlstate"}
    assert told == (context or {})
    for secret in ("SHOP", "ORA-", "DPY-", "77", "6512", "error-help"):
        assert secret not in f"{found.message}{found.context}"


def test_other_errors_are_ours(fail: Any) -> None:
    assert not OracleDialect().is_driver_error(KeyError("x"))
    assert OracleDialect().is_driver_error(ConnectionResetError())
    assert OracleDialect().diagnose(OverflowError()).kind == "out_of_range"
