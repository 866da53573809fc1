"""DatabaseSuite: all parts together."""

from __future__ import annotations

from trunkline_database.testing.guarding import GuardingSuite
from trunkline_database.testing.hostile import HostileSuite
from trunkline_database.testing.keeping import KeepingSuite
from trunkline_database.testing.paging import PagingSuite
from trunkline_database.testing.reading import ReadingSuite
from trunkline_database.testing.relating import RelatingSuite
from trunkline_database.testing.remembering import RememberingSuite
from trunkline_database.testing.routines import RoutinesSuite
from trunkline_database.testing.structure import StructureSuite
from trunkline_database.testing.values import ValuesSuite
from trunkline_database.testing.veiling import VeilingSuite
from trunkline_database.testing.writing import WritingSuite


class DatabaseSuite(
    ReadingSuite,
    PagingSuite,
    RelatingSuite,
    WritingSuite,
    GuardingSuite,
    VeilingSuite,
    ValuesSuite,
    StructureSuite,
    RememberingSuite,
    KeepingSuite,
    RoutinesSuite,
    HostileSuite,
):
    """What every database service promises; subclass it with ``service_type`` and a ``config`` fixture.

    Tests are skipped for what a type says that it ``lacks``, of these: aggregates, alter_column, any_names (tables may
    be called anything), columns_demanded (there is no table without columns), db_functions, expressions, foreign_keys
    (references must lead somewhere), key_order (rows come by their keys), keyless_tables, nulls_order, relations,
    text_filters (a filter is nothing but text), transactions, unique, views; procedures and functions, and what
    ``trunkline_database.testing.routines`` says of them. A type that has these also overrides ``make_routines``.
    """
