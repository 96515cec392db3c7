"""Labelled cases: a JSON Lines file, pictures and the shop's records beside it; a case made from a stored turn."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from cs_bot import turns
from cs_bot.errors import ConfigError, ImportRefused, NotFound
from cs_bot.masking import mask
from cs_bot.records import Action, Facts, Kind, PictureState, PictureUse, Policy, Record, Turn
from cs_bot.schemas import Person
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import reviews as review_queries
from cs_bot.store.queries import turns as turn_queries

CHANNEL, ACCOUNT = "generic", "evaluate"  # whose records the cases are answered from
ORDERS, PRODUCTS, FAQ, PICTURES = "orders.jsonl", "products.jsonl", "faq.jsonl", "pictures"
SHOWN = 20  # bad lines that are told in full


class Expected(Record):
    """What a person would have wanted. What is left out is not judged.

    `fields` are those of the first order screen: a value, or null for one that must not be called `read`. `products`
    are the ids that the lookups must clearly find, in order; an empty one: not in the shop. `action` send means that
    the reply may go out by itself; `contains` and `without` are about its text, sent or held.
    """

    kind: Kind | None = None
    fields: dict[str, str | None] = Field(default_factory=dict)
    products: tuple[str, ...] | None = None
    action: Action | None = None
    contains: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Case(Record):
    """One turn with what is expected of it. `pictures` are paths beside the file; `earlier` as in Turn."""

    case_id: Annotated[str, Field(min_length=1, max_length=200)]
    text: str = ""
    pictures: tuple[str, ...] = ()
    earlier: tuple[tuple[str, str], ...] = ()
    customer: Person = Person(id="somebody")
    tags: tuple[str, ...] = ()
    expect: Expected = Expected()


@dataclass(frozen=True)
class CaseSet:
    """A file of cases; orders.jsonl, products.jsonl, faq.jsonl and pictures lie beside it where they are needed."""

    path: Path
    cases: tuple[Case, ...]

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.path.parent

    def records(self, name: str) -> Path | None:
        """The file of that name beside the cases, None when there is none."""
        path = self.folder / name
        return path if path.is_file() else None

    def picture(self, name: str) -> bytes:
        """A picture's bytes; raises NotFound, also for one that lies outside the folder."""
        try:
            path = (self.folder / name).resolve()
            if path.is_relative_to(self.folder.resolve()):
                return path.read_bytes()
        except (OSError, ValueError):  # the latter: a NUL in the name
            pass
        raise NotFound(f"{self.path.name} names the picture {name!r}, which is not there")


def load_cases(path: Path) -> CaseSet:
    """Read a file of cases. Raises ImportRefused with every bad line, ConfigError when there is no such file."""
    cases: list[Case] = []
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            cases.append(Case.model_validate_json(line))
        except ValidationError as problem:
            told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in problem.errors())
            problems.append((number, told))
    twice = {case.case_id for case in cases if sum(other.case_id == case.case_id for other in cases) > 1}
    problems += [(0, f"case_id {case_id} is there twice") for case_id in sorted(twice)]
    if problems:
        raise ImportRefused(problems[:SHOWN], more=max(0, len(problems) - SHOWN))
    return CaseSet(path, tuple(cases))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"the cases {path} can't be read ({type(problem).__name__})") from None


def save_case(
    database: Database, media: MediaStore, turn_id: int, path: Path, *, settings: Settings, policy: Policy
) -> Case:
    """Append a stored turn to a file of cases, with its pictures and the records that it was answered from.

    What a person did with the draft is what is expected: an approved one (or a hidden one that was judged right) may be
    sent as it stands, an edited or rejected one not. The customer keeps no name and no contacts, the words no phone and
    no address. Raises NotFound.
    """
    turn = turns.stored(database, turn_id, settings=settings, policy=policy)
    with database.read() as tx:
        draft = turn_queries.latest_draft(tx, turn_id)
        decision = turn_queries.latest_decision(tx, turn_id)
        verdict = review_queries.verdict_of_turn(tx, turn_id)
    if draft is None or decision is None:
        raise NotFound(f"turn {turn_id} has no draft: nothing can be expected of it")
    if draft["forgotten_at"] is not None or any(lost(use) for use in turn.pictures):
        raise NotFound(f"what turn {turn_id} said or showed is older than its retention: nothing of it can be judged")
    path.parent.mkdir(parents=True, exist_ok=True)
    case = Case(
        case_id=f"turn-{turn_id}",
        text=mask(turn.text),
        pictures=_pictures(turn, media, path.parent),
        earlier=tuple((who, mask(said)) for who, said in turn.earlier),
        customer=Person(id=turn.customers[0].external_id if turn.customers else "somebody"),
        tags=("saved",),
        expect=_expected(draft, decision, verdict),
    )
    known = {one.case_id for one in load_cases(path).cases} if path.exists() else set()
    if case.case_id in known:
        raise ConfigError(f"{path.name} holds the case {case.case_id} already")
    _add_records(Facts.model_validate(_without_schema(draft["facts"])), path.parent)
    _append(path, case.model_dump(mode="json", exclude_defaults=True))
    return case


def lost(use: PictureUse) -> bool:
    """Whether a picture was there once and has been forgotten (retention)."""
    return use.state is PictureState.READY and use.sha256 is None


def _expected(draft: Row, decision: Row, verdict: Row | None) -> Expected:
    text = draft["draft"]["text"] if draft["draft"] else ""
    if verdict is None:
        return Expected(kind=Kind(decision["kind"]), action=Action(decision["action"]))
    if verdict["verdict"] == "approve" or (verdict["verdict"] == "shadow" and verdict["right"]):
        return Expected(kind=Kind(decision["kind"]), contains=(text,) if text else ())
    return Expected(kind=Kind(decision["kind"]), action=Action.REVIEW)


def _pictures(turn: Turn, media: MediaStore, folder: Path) -> tuple[str, ...]:
    names = []
    for use in turn.pictures:
        if use.sha256 is None:
            continue
        target = folder / PICTURES / f"{use.sha256[:16]}.png"
        target.parent.mkdir(exist_ok=True)
        with target.with_suffix(".part").open("wb") as file:
            file.write(media.read(use.sha256))
        shutil.move(target.with_suffix(".part"), target)
        names.append(f"{PICTURES}/{target.name}")
    return tuple(names)


def _add_records(facts: Facts, folder: Path) -> None:
    """The records of the facts, each once, beside the cases; contacts are left out."""
    if facts.order is not None:
        own = {"channel", "account", "synced_at", "email", "phone", "customer_external_id"}
        row = facts.order.model_dump(mode="json", exclude=own, exclude_none=True)
        row |= {"customer_id": facts.order.customer_external_id} if facts.order.customer_external_id else {}
        _add_once(folder / ORDERS, "order_id", row)
    for lookup in facts.products:
        for hit in lookup.hits:
            row = hit.product.model_dump(mode="json", exclude={"channel", "account", "synced_at"}, exclude_none=True)
            _add_once(folder / PRODUCTS, "product_id", row)
    for entry in facts.faq:
        _add_once(folder / FAQ, "faq_id", entry.faq.model_dump(mode="json"))


def _add_once(path: Path, key: str, row: dict[str, Any]) -> None:
    known = {json.loads(line)[key] for line in path.read_text("utf-8").splitlines() if line} if path.exists() else set()
    if row[key] not in known:
        _append(path, row)


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _without_schema(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "schema"}
