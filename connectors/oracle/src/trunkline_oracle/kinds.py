"""SQLAlchemy types that write columns and values in Oracle's words, and what says how a value travels beside the text.

Moments and spans of time come and go as text in one form, whatever the session's NLS settings are: the driver would
read them as Python's types, which lose nanoseconds, named zones and what lies before year 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.types import UserDefinedType

DAY = "YYYY-MM-DD HH24:MI:SS"
MOMENT = "YYYY-MM-DD HH24:MI:SS.FF"
ZONED = "YYYY-MM-DD HH24:MI:SS.FF TZH:TZM"
_HOUR = "HH24:MI:SS.FF6"

# How a value travels: names of the driver's DB_TYPE_ constants without that beginning.
Carrier = Literal["VARCHAR", "NVARCHAR", "CHAR", "NUMBER", "BINARY_FLOAT", "BINARY_DOUBLE", "CLOB", "NCLOB", "BLOB",
                  "RAW", "JSON", "BOOLEAN", "CURSOR"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Out:
    """Stands among the values where a statement answers one: the driver puts a variable of this carrier there."""

    carrier: Carrier


class FixedText(str):
    """A text that is compared as CHAR is: blanks at its end do not count."""

    __slots__ = ()


class NationalText(str):
    """A text in the national character set, which the database's own may not hold."""

    __slots__ = ()


class Single(float):
    """A number in single precision, as BINARY_FLOAT columns hold it."""

    __slots__ = ()


class Double(float):
    """A number in double precision, also beyond what NUMBER reaches."""

    __slots__ = ()


CARRIED: dict[type, Carrier] = {
    FixedText: "CHAR", NationalText: "NVARCHAR", Single: "BINARY_FLOAT", Double: "BINARY_DOUBLE",
}  # fmt: skip


class Word(UserDefinedType[Any]):
    """A type in Oracle's own words."""

    cache_ok = True
    carrier: Carrier | None = "VARCHAR"

    def __init__(self, text: str = "VARCHAR2(4000)", carrier: Carrier | None = "VARCHAR") -> None:
        self.text = text
        self.carrier = carrier

    def get_col_spec(self, **_: Any) -> str:
        """Write the type."""
        return self.text


class _Timed(UserDefinedType[Any]):
    """A moment or a time: values are texts that a function of Oracle's reads."""

    cache_ok = True
    word = reader = form = ""

    def get_col_spec(self, **_: Any) -> str:
        return self.word

    def bind_expression(self, bindvalue: Any) -> Any:
        function = getattr(sa.func, self.reader)
        return function(bindvalue, sa.literal_column(f"'{self.form}'")) if self.form else function(bindvalue)

    def written(self, expression: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Write a value as text."""
        return sa.func.to_char(expression, sa.literal_column(f"'{self.form}'"), type_=sa.String())


class DayType(_Timed):
    """DATE, which holds seconds as well."""

    word, reader, form = "DATE", "to_date", DAY


class MomentType(_Timed):
    """TIMESTAMP."""

    word, reader, form = "TIMESTAMP", "to_timestamp", MOMENT


class ZonedType(_Timed):
    """TIMESTAMP WITH TIME ZONE, also with the local one."""

    word, reader, form = "TIMESTAMP WITH TIME ZONE", "to_timestamp_tz", ZONED


class HourType(_Timed):
    """A time of day, kept as the span since midnight."""

    word, reader = "INTERVAL DAY(0) TO SECOND(6)", "to_dsinterval"

    def written(self, expression: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Write a span as the time that it is after midnight; there is no form for spans."""
        start: sa.ColumnElement[Any] = sa.literal_column("TIMESTAMP '2000-01-01 00:00:00'")
        moment = start.op("+")(sa.type_coerce(expression, sa.String()))
        return sa.func.to_char(moment, sa.literal_column(f"'{_HOUR}'"), type_=sa.String())


class NationalType(sa.String):
    """NCHAR and NVARCHAR2."""

    cache_ok = True


class LongText(sa.Text):
    """CLOB and NCLOB, which no operator compares but LIKE."""

    cache_ok = True

    def __init__(self, national: bool = False) -> None:
        super().__init__()
        self.national = national

    class Comparator(sa.Text.Comparator[Any]):
        """Compares by the function that does."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            """Compare."""
            if op in (operators.in_op, operators.not_in_op):
                equal = sa.or_(*(self.operate(operators.eq, one) for one in other[0]))
                return equal if op is operators.in_op else sa.not_(equal)
            if op is operators.between_op:
                low, high = other[:2]
                return sa.and_(self.operate(operators.ge, low), self.operate(operators.le, high))
            if op in _COMPARING and other[0] is not None:
                return op(self._compared(other[0]), sa.literal_column("0"))
            return super().operate(op, *other, **kwargs)

        def _compared(self, other: Any) -> sa.ColumnElement[int]:
            kind = self.type
            long = sa.func.to_nclob if isinstance(kind, LongText) and kind.national else sa.func.to_clob
            if isinstance(other, sa.BindParameter):
                other = long(other)
            return sa.func.dbms_lob.compare(self.expr, other, type_=sa.Integer())

    comparator_factory = Comparator


_COMPARING = frozenset({operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge})


def carrier_of(kind: Any) -> Carrier | None:
    """Answer how values of a type come back from a statement that changes something; None where they cannot."""
    if isinstance(kind, Word):
        return kind.carrier
    if isinstance(kind, LongText):
        return "NCLOB" if kind.national else "CLOB"
    if isinstance(kind, sa.LargeBinary):
        return "BLOB"
    if isinstance(kind, NationalType):
        return "NVARCHAR"
    return "NUMBER" if isinstance(kind, sa.Numeric | sa.Integer | sa.Boolean) else "VARCHAR"
