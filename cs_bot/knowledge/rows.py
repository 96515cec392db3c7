"""Rows of an import file with their line numbers: CSV (UTF-8 or GB18030) or JSON Lines, never held in memory whole."""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from cs_bot.errors import ImportRefused

CHUNK = 1 << 20
DELIMITERS = (",", ";", "\t")
_JSON_ENDINGS = {".jsonl", ".ndjson", ".json"}
_NOT_WRITTEN_BY_PEOPLE = re.compile("[\x80-\x9f\ue000-\uf8ff\ufffd]")  # what other encodings give as GB18030
_SHEET_TEXT = re.compile(r'="(.*)"', re.DOTALL)  # ="0123": how shop exports keep a spreadsheet from rounding a number
_SHEET_MARK = re.compile(r"^'(?=[\d+=@-])")  # the apostrophe that makes a spreadsheet keep digits as text


@dataclass(frozen=True)
class Row:
    """One record: the line on which it starts, and its values or what is wrong with it."""

    line: int
    values: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True)
class RowFile:
    """An import file that can be read several times; `columns` is () for JSON Lines."""

    path: Path
    encoding: str
    delimiter: str = ""
    columns: tuple[str, ...] = ()

    @property
    def is_csv(self) -> bool:
        """Whether cells are text and still have to be understood."""
        return bool(self.delimiter)

    def rows(self) -> Iterator[Row]:
        """Every record that is not blank, in order."""
        with self.path.open(encoding=self.encoding, newline="" if self.is_csv else None) as stream:
            yield from _csv_rows(stream, self) if self.is_csv else _json_rows(stream)

    def estimate(self) -> int:
        """About how many records there are: lines, for a progress display."""
        with self.path.open("rb") as stream:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(CHUNK), b""))


def open_rows(path: Path, *, known: set[str], required: set[str]) -> RowFile:
    """Find out what a file is. Raises ImportRefused: empty, neither encoding, or a column is missing or twice there."""
    if path.stat().st_size == 0:
        _refuse(1, "the file is empty")
    if _is_json(path):
        return RowFile(path, _encoding(path, ("utf-8-sig",)))
    encoding = _encoding(path, ("utf-8-sig", "gb18030"))
    with path.open(encoding=encoding, newline="") as stream:
        first = next((line for line in stream if line.strip()), "")
    headers = {d: [name.strip().casefold() for name in next(csv.reader([first], delimiter=d), [])] for d in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda d: len(known & set(headers[d])))
    columns = tuple(headers[delimiter])
    missing = sorted(required - set(columns))
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if missing:
        _refuse(1, f"columns are missing: {', '.join(missing)}; known: {', '.join(sorted(known))}")
    if twice:
        _refuse(1, f"columns are there twice: {', '.join(twice)}")
    return RowFile(path, encoding, delimiter, columns)


def _refuse(line: int, problem: str) -> NoReturn:
    raise ImportRefused([(line, problem)])


def _is_json(path: Path) -> bool:
    if path.suffix.lower() in _JSON_ENDINGS:
        return True
    with path.open("rb") as stream:
        return stream.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _encoding(path: Path, allowed: tuple[str, ...]) -> str:
    with path.open("rb") as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            _refuse(1, "the file is UTF-16; save it as CSV UTF-8")
    lines = {}
    for encoding in allowed:
        line = _undecodable_line(path, encoding)
        if line is None:
            return encoding
        lines[encoding] = line
    names = " nor ".join(name.removesuffix("-sig").upper() for name in allowed)
    _refuse(lines[allowed[0]], f"the text from here on is not {names}; save the file as UTF-8")


def _undecodable_line(path: Path, encoding: str) -> int | None:
    """The line of the first byte that is not of this encoding; None when all are."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as problem:
                return line + problem.object[: problem.start].count(b"\n")
            if encoding == "gb18030" and _NOT_WRITTEN_BY_PEOPLE.search(text):
                return line
            if not chunk:
                return None
            line += chunk.count(b"\n")


def _csv_rows(stream: Any, file: RowFile) -> Iterator[Row]:
    reader = csv.reader(stream, delimiter=file.delimiter, strict=True)
    seen_header = False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield Row(line, {}, f"not valid CSV: {problem}")
            return  # where the next record starts is anybody's guess
        if not any(cell.strip() for cell in cells):
            continue
        if not seen_header:
            seen_header = True
        elif len(cells) != len(file.columns):
            yield Row(line, {}, f"{len(cells)} cells, the header has {len(file.columns)}")
        else:
            plain = zip(file.columns, map(_cell, cells), strict=True)
            yield Row(line, {name: cell for name, cell in plain if name and cell})


def _cell(cell: str) -> str:
    text = cell.strip()
    wrapped = _SHEET_TEXT.fullmatch(text)
    return wrapped[1].strip() if wrapped else _SHEET_MARK.sub("", text)


def _json_rows(stream: Any) -> Iterator[Row]:
    for line, text in enumerate(stream, start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError) as problem:
            yield Row(line, {}, f"not valid JSON: {problem}")
            continue
        yield Row(line, values) if isinstance(values, dict) else Row(line, {}, "not a JSON object")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
