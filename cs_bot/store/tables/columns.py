"""Column types and small helpers: UTC times, exact money, JSON, ids."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite stores it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive times; SQLite gets them without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Any]):
    """Decimal with four places; SQLite has no exact number, so it stores text."""

    impl = Numeric(18, 4)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Text on SQLite."""
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else Numeric(18, 4))

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """Decimal to text on SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Always Decimal, without trailing zeros of storage."""
        if value is None:
            return None
        number = Decimal(value)
        return number.quantize(Decimal("0.01")) if number == number.quantize(Decimal("0.01")) else number


Id = BigInteger().with_variant(Integer, "sqlite")
Code = String(64).with_variant(String(64, collation="C"), "postgresql")  # compared by code points on both: prefixes
Json = JSON().with_variant(JSONB, "postgresql")


def id_column() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def reference(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable, index=True)


def partial_index(name: str, column: str, where: str) -> Index:
    """An index over the few rows that `where` picks, small however long the table grows.

    SQLite uses it only for statements that say the same with a literal, not with a bound value: see queries.sql.said.
    """
    return Index(name, column, postgresql_where=text(where), sqlite_where=text(where))


def forgotten_column() -> Column[Any]:
    """When what was personal in the row was taken out (retention, or a customer's deletion); null = it is all there."""
    return Column("forgotten_at", UtcTime)
