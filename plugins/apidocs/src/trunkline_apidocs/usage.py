"""The help object of ``_spec``, for readers who know nothing but the document."""

from __future__ import annotations

from typing import Any

USAGE: dict[str, Any] = {
    "authentication": "Send X-DreamFactory-API-Key, X-DreamFactory-Session-Token, or both.",
    "pagination": "limit and offset; include_count=true adds meta.count, and meta.next while records remain. "
    "paging=keyset pages behind a cursor: send meta.next as page.",
    "filtering": "filter=(field operator value) and (…), with =, !=, <, >, <=, >=, in (a,b), like 'x%', contains, "
    "starts with, ends with, between a and b, is null, is not null, and their negations with not.",
    "ordering": "order=field desc, other asc nulls last",
    "fields": "fields=a,b answers only these; fields=* on writes answers the whole records.",
    "grouping": "group=a with fields=a,COUNT(*),SUM(b)",
    "related_records": "related=relation brings related records along; relation.fields, relation.order and "
    "relation.limit narrow them.",
    "batches": "A list stops at the first record that fails; continue=true goes on, rollback=true undoes all.",
}
