"""What most people would write: FastAPI, SQLAlchemy Core on asyncpg, pydantic models for what comes in and goes out."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

_KEYS = {os.environ["BENCH_KEY"]: "reader"}
_engine = create_async_engine(
    os.environ["BENCH_DATABASE"].replace("postgresql:", "postgresql+asyncpg:"), pool_size=16, max_overflow=0
)
_metadata = sa.MetaData()
_company = sa.Table(
    "company",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80)),
    sa.Column("city", sa.String(40)),
)
_contact = sa.Table(
    "contact",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company_id", sa.ForeignKey("company.id")),
    sa.Column("first_name", sa.String(40)),
    sa.Column("last_name", sa.String(40)),
    sa.Column("email", sa.String(80)),
    sa.Column("age", sa.Integer),
    sa.Column("balance", sa.Numeric(12, 2)),
    sa.Column("score", sa.Double),
    sa.Column("is_active", sa.Boolean),
    sa.Column("country_code", sa.CHAR(2)),
    sa.Column("born", sa.Date),
    sa.Column("created_at", sa.DateTime),
    sa.Column("notes", sa.Text),
)


class Company(BaseModel):
    """A company as it goes out."""

    id: int
    name: str
    city: str | None


class NewContact(BaseModel):
    """A contact as it comes in."""

    company_id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    age: int | None = None
    balance: Decimal | None = None
    is_active: bool | None = None


class Contact(NewContact):
    """A contact as it goes out."""

    id: int
    score: float | None
    country_code: str | None
    born: dt.date | None
    created_at: dt.datetime | None
    notes: str | None
    company: Company | None = None


class Contacts(BaseModel):
    """A page."""

    resource: list[Contact]
    count: int | None = None


class NewContacts(BaseModel):
    """Contacts to create."""

    resource: list[NewContact]


class Key(BaseModel):
    """What a write answers."""

    id: int


class Keys(BaseModel):
    """What a write of several answers."""

    resource: list[Key]


async def _connected() -> Any:
    async with _engine.begin() as connection:
        yield connection


def _allowed(x_dreamfactory_api_key: Annotated[str, Header()]) -> None:
    if x_dreamfactory_api_key not in _KEYS:
        raise HTTPException(401)


Connected = Annotated[AsyncConnection, Depends(_connected)]
app = FastAPI(dependencies=[Depends(_allowed)])


@app.get("/contact/{key}")
async def read_one(key: int, connection: Connected) -> Contact:
    """Answer one record."""
    found = await connection.execute(sa.select(_contact).where(_contact.c.id == key, _contact.c.is_active))
    row = found.mappings().first()
    if row is None:
        raise HTTPException(404)
    return Contact.model_validate(dict(row))


@app.get("/contact")
async def read_many(
    connection: Connected, limit: int = 25, older: int = 0, company: bool = False, count: bool = False
) -> Contacts:
    """Answer a page."""
    where = sa.and_(_contact.c.is_active, _contact.c.age > older)
    if company:
        query = sa.select(_contact, *(one.label(f"o_{one.name}") for one in _company.c)).outerjoin(_company)
    else:
        query = sa.select(_contact)
    found = await connection.execute(query.where(where).order_by(_contact.c.id).limit(limit))
    records = []
    for row in found.mappings():
        record = dict(row)
        if company:
            record["company"] = {name: record.pop(f"o_{name}") for name in ("id", "name", "city")}
        records.append(record)
    total = None
    if count:
        total = await connection.scalar(sa.select(sa.func.count()).select_from(_contact).where(where))
    return Contacts.model_validate({"resource": records, "count": total})


@app.post("/contact")
async def create(body: NewContacts, connection: Connected) -> Keys:
    """Create records."""
    rows = [one.model_dump() for one in body.resource]
    found = await connection.execute(sa.insert(_contact).returning(_contact.c.id), rows)
    return Keys.model_validate({"resource": [{"id": key} for key in found.scalars()]})


@app.patch("/contact/{key}")
async def change(key: int, body: NewContact, connection: Connected) -> Key:
    """Change a record."""
    query = sa.update(_contact).where(_contact.c.id == key, _contact.c.is_active)
    found = await connection.execute(query.values(body.model_dump(exclude_unset=True)).returning(_contact.c.id))
    row = found.first()
    if row is None:
        raise HTTPException(404)
    return Key(id=row.id)
