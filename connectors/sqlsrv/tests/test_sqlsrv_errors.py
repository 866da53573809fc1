"""The driver's errors, with the numbers and words that SQL Server's documentation gives them, as clients see them."""

from __future__ import annotations

from typing import Any

import pytds
import pytest
from pytds.tds_base import _create_exception_by_message

from trunkline.errors import TrunklineError
from trunkline_database.model import Column
from trunkline_database.routine import Parameter, Routine, RoutineName
from trunkline_database.sql.errors import typed
from trunkline_sqlsrv import routines
from trunkline_sqlsrv.dialect import SqlsrvDialect

DIALECT = SqlsrvDialect()


def recorded(number: int, text: str, procedure: str = "") -> Exception:
    """Make the error as python-tds makes it of the server's message."""
    return _create_exception_by_message(
        {
            "marker": 170, "msgno": number, "state": 1, "severity": 16, "sql_state": None, "priv_msg_type": 0,
            "message": text, "server": "s", "proc_name": procedure, "line_number": 1,
        }
    )  # fmt: skip


def told(error: Exception, verb: Any = "insert") -> TrunklineError:
    assert DIALECT.is_driver_error(error)
    return typed(error, DIALECT.diagnose(error), verb)


# Number, the server's words, status, and of the reply: field, constraint.
ERRORS: list[tuple[int, str, int, str | None, str | None]] = [
    (2627,
        "Violation of UNIQUE KEY constraint 'UQ_code'. Cannot insert duplicate key in object "
        "'dbo.shelf'. The duplicate key value is (A1).", 409, None, "UQ_code"),
    (2627,
        "Violation of PRIMARY KEY constraint 'PK_shelf'. Cannot insert duplicate key in object "
        "'dbo.shelf'. The duplicate key value is (1).", 409, None, "PK_shelf"),
    (2601,
        "Cannot insert duplicate key row in object 'dbo.shelf' with unique index 'shelf_code_key'. The "
        "duplicate key value is (A1).", 409, None, "shelf_code_key"),
    (547,
        'The INSERT statement conflicted with the FOREIGN KEY constraint "FK_book_shelf". The conflict '
        'occurred in database "shop", table "dbo.shelf", column \'id\'.', 400, None, "FK_book_shelf"),
    (547,
        'The UPDATE statement conflicted with the FOREIGN KEY SAME TABLE constraint "FK_self". The '
        'conflict occurred in database "shop", table "dbo.t", column \'id\'.', 400, None, "FK_self"),
    (547,
        'The INSERT statement conflicted with the CHECK constraint "CK_pages". The conflict occurred in '
        'database "shop", table "dbo.book", column \'pages\'.', 400, "pages", "CK_pages"),
    (515,
        "Cannot insert the value NULL into column 'title', table 'shop.dbo.book'; column does not allow "
        "nulls. INSERT fails.", 400, "title", None),
    (2628,
        "String or binary data would be truncated in table 'shop.dbo.shelf', column 'code'. Truncated "
        "value: 'secret'.", 400, "code", None),
    (8152, "String or binary data would be truncated.", 400, None, None),
    (8115, "Arithmetic overflow error converting numeric to data type numeric.", 400, None, None),
    (220, "Arithmetic overflow error for data type tinyint, value = 300.", 400, None, None),
    (245, "Conversion failed when converting the nvarchar value 'secret' to data type int.", 400, None, None),
    (8114, "Error converting data type nvarchar to decimal.", 400, None, None),
    (241, "Conversion failed when converting date and/or time from character string.", 400, None, None),
    (8169, "Conversion failed when converting from a character string to uniqueidentifier.", 400, None, None),
    (544,
        "Cannot insert explicit value for identity column in table 'book' when IDENTITY_INSERT is set to "
        "OFF.", 400, None, None),
    (271,
        'The column "total" cannot be modified because it is either a computed column or is the result '
        'of a UNION operator.', 400, None, None),
    (402, "The data types text and varchar are incompatible in the equal to operator.", 400, None, None),
    (8003,
        "The incoming request has too many parameters. The server supports a maximum of 2100 parameters.",
        400, None, None),
    (229, "The INSERT permission was denied on the object 'book', database 'shop', schema 'dbo'.", 403, None, None),
    (208, "Invalid object name 'dbo.book'.", 503, None, None),
    (207, "Invalid column name 'title'.", 503, None, None),
    (1205,
        "Transaction (Process ID 52) was deadlocked on lock resources with another process and has been "
        "chosen as the deadlock victim. Rerun the transaction.", 503, None, None),
    (1222, "Lock request time out period exceeded.", 503, None, None),
    (3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.", 503, None, None),
    (18456, "Login failed for user 'secret'.", 503, None, None),
    (4060, 'Cannot open database "secret" requested by the login. The login failed.', 503, None, None),
    (102, "Incorrect syntax near 'secret'.", 500, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text", "status", "field", "constraint"), ERRORS)
def test_errors(number: int, text: str, status: int, field: str | None, constraint: str | None) -> None:
    error = told(recorded(number, text))
    context = error.context or {}
    assert (error.status, context.get("field"), context.get("constraint")) == (status, field, constraint)
    assert "secret" not in f"{error.message}{context}"


def test_what_others_refer_to_is_not_deleted() -> None:
    text = 'The DELETE statement conflicted with the REFERENCE constraint "FK_book_shelf". The conflict occurred in x.'
    assert told(recorded(547, text), "delete").status == 409


DEFINITIONS = {
    2714: ("There is already an object named 'book' in the database.", 409),
    2705: ("Column names in each table must be unique.", 409),
    3726: ("Could not drop object 'shelf' because it is referenced by a FOREIGN KEY constraint.", 409),
    5074: ("The object 'UQ_code' is dependent on column 'code'.", 409),
    4922: ("ALTER TABLE DROP COLUMN code failed because one or more objects access this column.", 409),
    1767: ("Foreign key 'x' references invalid table 'secret'.", 400),
    1776: ("There are no primary or candidate keys in the referenced table 'secret'.", 400),
    2715: ("Column, parameter, or variable #1: Cannot find data type secret.", 400),
    4901: ("ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT.", 400),
}


@pytest.mark.parametrize(("number", "text", "status"), [(number, *rest) for number, rest in DEFINITIONS.items()])
def test_definitions(number: int, text: str, status: int) -> None:
    error = told(recorded(number, text), "define")
    assert error.status == status
    assert "secret" not in error.message


def test_an_author_is_told_in_his_words() -> None:
    for number in (50000, 51234):
        error = told(recorded(number, "No such luck.", "proc_fail"), "call")
        assert (error.status, error.message) == (400, "No such luck.")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (pytds.ClosedConnectionError(), 503),
        (ConnectionResetError("by peer at 10.0.0.1"), 503),
        (TimeoutError(), 504),
        (pytds.DataError("Decimal value is out of range"), 400),
        (OverflowError(), 400),
        (UnicodeEncodeError("utf-16", "\ud800", 0, 1, "surrogates"), 400),
    ],
)
def test_errors_of_the_driver_itself(error: Exception, status: int) -> None:
    assert told(error, "read").status == status


def test_a_missing_parameter_is_one_of_the_procedure_itself() -> None:
    routine = Routine(RoutineName("add_it", "dbo"), "procedure", [Parameter(Column("n", "integer", "int"), 1)])
    text = "Procedure or function 'add_it' expects parameter '@n', which was not supplied."
    assert routines.missing(recorded(201, text, "add_it"), routine) == "@n"
    assert routines.missing(recorded(201, text, "other"), routine) is None
    assert routines.missing(recorded(245, text, "add_it"), routine) is None
