"""Patterns of a query, in the words of each database."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from flowsource.queries.matching import folded
from flowsource.queries.terms import Pattern

_OF_LIKE = re.compile(r"([\\%_])")
_OF_GLOB = re.compile(r"([*?[])")


class _Like(TypeDecorator[Pattern]):
    """A pattern, as LIKE takes it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Pattern | None, dialect: Dialect) -> str | None:
        return None if value is None else "%".join(_OF_LIKE.sub(r"\\\1", piece) for piece in value)


class _Glob(_Like):
    """A pattern as GLOB takes it where the database is SQLite, whose LIKE does not tell capitals from others."""

    cache_ok = True

    def process_bind_param(self, value: Pattern | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "sqlite":
            return super().process_bind_param(value, dialect)
        return "*".join(_OF_GLOB.sub(r"[\1]", piece) for piece in value)


class _Fits(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


class _IsWithin(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


class _Contains(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


def fits(value: Pattern, column: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the text in `column` is what the pattern says (see `flowsource.queries.matching.fits`)."""
    if len(value) == 1:
        return column == value[0]
    return column.is_not(None) & _Fits(column, bindparam(None, value, type_=_Glob()))


def is_within(value: Pattern, column: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the pattern fits a part of the text in `column`; capitals from A to Z are as good as others."""
    return _IsWithin(column, bindparam(None, ("", *value, ""), type_=_Like()))


def contains(text: str, column: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether `text`, in which nothing is a sign, is within what `column` holds; as `is_within`."""
    return _Contains(column, bindparam(None, folded(text), type_=column.type))


@compiles(_Fits)
def _fits_by_like(element: _Fits, compiler: SQLCompiler, **how: Any) -> str:
    column, pattern = (compiler.process(part, **how) for part in element.clauses)
    return f"({column} LIKE {pattern} ESCAPE '\\')"


@compiles(_Fits, "sqlite")
def _fits_by_glob(element: _Fits, compiler: SQLCompiler, **how: Any) -> str:
    column, pattern = (compiler.process(part, **how) for part in element.clauses)
    return f"({column} GLOB {pattern})"


@compiles(_IsWithin)
def _is_within_by_ilike(element: _IsWithin, compiler: SQLCompiler, **how: Any) -> str:
    column, pattern = (compiler.process(part, **how) for part in element.clauses)
    # In that collation no other letters have capitals, as it is in SQLite.
    return f"(({column} COLLATE \"C\") ILIKE {pattern} ESCAPE '\\')"


@compiles(_IsWithin, "sqlite")
def _is_within_by_like(element: _IsWithin, compiler: SQLCompiler, **how: Any) -> str:
    column, pattern = (compiler.process(part, **how) for part in element.clauses)
    return f"({column} LIKE {pattern} ESCAPE '\\')"


@compiles(_Contains)
def _contains_by_strpos(element: _Contains, compiler: SQLCompiler, **how: Any) -> str:
    column, text = (compiler.process(part, **how) for part in element.clauses)
    return f'(strpos(lower({column} COLLATE "C"), {text}) > 0)'


@compiles(_Contains, "sqlite")
def _contains_by_instr(element: _Contains, compiler: SQLCompiler, **how: Any) -> str:
    column, text = (compiler.process(part, **how) for part in element.clauses)
    # LIKE would see nothing behind a NUL.
    return f"(instr(lower({column}), {text}) > 0)"
