"""The gate: every reason it can give, and what a SEND implies."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import exp
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs_bot import bootstrap, gate
from cs_bot.claims import find_claims, words_outside
from cs_bot.errors import ConfigError
from cs_bot.gate import PROOF_INTENTS, decide, in_share, suggestion
from cs_bot.records import (
    Action,
    Customer,
    Decision,
    Draft,
    Facts,
    FieldState,
    Fit,
    Kind,
    Look,
    LookupOutcome,
    Message,
    Mode,
    Owner,
    PictureState,
    PictureUse,
    Policy,
    ProductLookup,
    ReadField,
    Reading,
    Reason,
    Route,
    Turn,
    ordered,
)
from cs_bot.settings import Settings
from tests.readings import look
from tests.unit.answer_cases import NOW, hit, lookup, made, order, owned, product, reading, shop, variants

SHA = "a" * 64
NUMBER = "2845112344556677889"


def a_look(state: FieldState = FieldState.READ, value: str | None = NUMBER, **values: Any) -> Look:
    given_fields = {"order_id": ReadField(value=value, state=state)}
    stamps = {"engine": "lite", "engine_version": "1", "prompt_version": "1", "seconds": 0.1}
    kinds = {Kind.ORDER: 0.9, Kind.OTHER: 0.1}
    return Look(**{"picture_sha256": SHA, "kinds": kinds, "fields": given_fields, **stamps, **values})


def picture(position: int = 0, **values: Any) -> PictureUse:
    given_values = {"picture_use_id": position, "message_id": 1, "position": position}
    return PictureUse(**{**given_values, "state": PictureState.READY, "sha256": SHA, **values})


def message(**values: Any) -> Message:
    sent = NOW - timedelta(seconds=5)
    base = {"message_id": 1, "external_id": "m1", "seq": 1, "text": "到哪了", "customer_id": 1}
    return Message(**{**base, "sent_at": sent, "received_at": sent, "pictures": (picture(),), **values})


def customer(customer_id: int = 1) -> Customer:
    return Customer(customer_id=customer_id, channel="generic", account="main", external_id=f"c{customer_id}")


def a_turn(**values: Any) -> Turn:
    base = {
        "turn_id": 7,
        "conversation_id": 1,
        "channel": "generic",
        "account": "main",
        "round": 1,
        "fence": 1,
        "attempts": 1,
        "restarts": 0,
        "origin": "customer",
        "deadline_at": NOW,
        "messages": (message(),),
        "customers": (customer(),),
    }
    return Turn(**{**base, **values})


@dataclass
class Case:
    """A turn that may be sent; tests spoil one thing."""

    turn: Turn = field(default_factory=a_turn)
    reading: Reading = field(default_factory=lambda: reading(question="到哪了", intent="tracking", looks=(a_look(),)))
    facts: Facts = field(default_factory=lambda: owned(order(), customer_id=1, second_field="amount"))
    draft: Draft | None = None
    policy: Policy = field(default_factory=Policy)
    no_draft: bool = False

    def decide(self) -> Decision:
        one = None if self.no_draft else self.draft or made(self.reading, self.facts, shop())
        return decide(self.turn, self.reading, self.facts, one, policy=self.policy, now=NOW)

    def spoil(self, record: str, **values: Any) -> "Case":
        setattr(self, record, getattr(self, record).model_copy(update=values))
        return self


def with_message(**values: Any) -> Case:
    return Case(turn=a_turn(messages=(message(**values),)))


def with_look(**values: Any) -> Case:
    return Case().spoil("reading", looks=(a_look(**values),))


def with_draft(**values: Any) -> Case:
    case = Case()
    case.draft = made(case.reading, case.facts, shop()).model_copy(update=values)
    return case


def with_claim(words: str) -> Case:
    case = Case()
    one = made(case.reading, case.facts, shop())
    case.draft = one.model_copy(update={"template": one.template + words, "text": one.text + words})
    return case


def a_fit(threshold: float = 0.5, **values: Any) -> Fit:
    """Of the best FAQ entry's score alone: 0.5 where that is 0.5, 0.92 where it is 1."""
    base: dict[str, Any] = {"version": 1, "weights": {"faq.score": 5.0}, "bias": -2.5, "engines": ("templates",)}
    tested = {"target": 0.02, "n": 200, "wrong": 0, "bound": 0.0149}
    times = {"data_from": NOW - timedelta(days=30), "data_to": NOW, "created_at": NOW}
    return Fit(**{**base, **tested, **times, "threshold": threshold, **values})


def automatic(fit: Fit | None = None, **values: Any) -> Case:
    """A question in words whose kind the policy answers alone."""
    case = text_case(**{"text/faq": Mode.AUTO})
    return case.spoil("policy", **{"fits": {"text/faq": fit or a_fit()}, **values})


def text_case(intent: str = "faq", **modes: Mode) -> Case:
    """A question in words, answered by a rule of the shop."""
    words = reading("zh", intent, Kind.TEXT, question="包邮吗")
    facts = Facts(faq=(hit(),), fingerprint="f1")
    turn = a_turn(messages=(message(text="包邮吗", pictures=()),))
    return Case(turn=turn, reading=words, facts=facts, policy=Policy(modes=modes or {"*/*": Mode.ASSIST}))


def four_pictures(count: int) -> Case:
    shown = tuple(picture(position) for position in range(count))
    return Case(turn=a_turn(messages=(message(pictures=shown),)))


def test_a_proven_reply_is_sent_with_its_one_reason() -> None:
    decision = Case().decide()
    assert decision.action is Action.SEND
    assert decision.reasons == (Reason.PROVEN,)
    assert (decision.mode, decision.route, decision.kind) == (Mode.AUTO, Route.PROOF, Kind.ORDER)
    assert decision.score is None
    assert decision.policy_version == 1


OLD, EARLY = NOW - timedelta(seconds=901), NOW + timedelta(seconds=301)
HOLDS: list[tuple[Reason, Callable[[], Case]]] = [
    (Reason.REVOKED, lambda: with_message(revoked=True)),
    (Reason.TAKEN_OVER, lambda: Case().spoil("turn", owner=Owner.DESK)),
    (Reason.TAKEN_OVER, lambda: Case().spoil("turn", owner=Owner.OUTSIDE)),
    (Reason.REVIEW_OPEN, lambda: Case().spoil("turn", origin="redraft")),
    (Reason.MODE_SHADOW, lambda: Case().spoil("turn", origin="playground")),
    (Reason.ASKED_FOR_PERSON, lambda: Case().spoil("reading", reasons=(Reason.ASKED_FOR_PERSON,))),
    (Reason.UPSET, lambda: Case().spoil("reading", reasons=(Reason.UPSET,))),
    (Reason.MIXED_CUSTOMERS, lambda: Case().spoil("turn", customers=(customer(1), customer(2)))),
    (Reason.MIXED_CUSTOMERS, lambda: Case().spoil("turn", customers=())),
    (Reason.MIXED_CUSTOMERS, lambda: Case().spoil("turn", messages=(message(), message(message_id=2, customer_id=2)))),
    (Reason.FOREIGN_ORDER, lambda: Case().spoil("facts", reasons=(Reason.FOREIGN_ORDER,))),
    (Reason.FOREIGN_ORDER, lambda: unowned(owned_by=None)),
    (Reason.FOREIGN_ORDER, lambda: unowned(customer_id=2)),
    (Reason.FOREIGN_ORDER, lambda: unowned(customer_id=None)),
    (Reason.UNKNOWN_ORDER, lambda: unowned(order=None)),
    (Reason.ORDER_RECORD_TOO_OLD, lambda: unowned(order=order(synced_at=NOW - timedelta(seconds=86_401)))),
    (Reason.SECOND_FIELD_DISAGREES, lambda: Case().spoil("facts", reasons=(Reason.SECOND_FIELD_DISAGREES,))),
    (Reason.NO_SECOND_FIELD, lambda: unowned(second_field=None)),
    (Reason.NO_SECOND_FIELD, lambda: unowned(second_field="status")),
    (Reason.NO_SECOND_FIELD, lambda: typed_only()),
    (Reason.SEVERAL_ORDERS, lambda: Case().spoil("reading", typed_order_ids=("1111222233334444555",))),
    (Reason.SEVERAL_ORDERS, lambda: with_look(value="1111222233334444555")),
    (Reason.ORDER_LIST, lambda: with_look(notes=("list",))),
    (Reason.NUMBER_UNSURE, lambda: with_look(state=FieldState.CONFIRM)),
    (Reason.NUMBER_UNREADABLE, lambda: with_look(state=FieldState.UNREADABLE, value=None)),
    (Reason.NUMBER_UNREADABLE, lambda: with_look(fields={})),
    (Reason.NO_ORDER_NUMBER, lambda: Case().spoil("facts", reasons=(Reason.NO_ORDER_NUMBER,))),
    (Reason.STALE, lambda: with_message(sent_at=OLD)),
    (Reason.STALE, lambda: with_message(received_at=OLD)),
    (Reason.STALE, lambda: with_message(sent_at=EARLY)),
    (Reason.STALE, lambda: Case().spoil("turn", messages=(message(), message(message_id=2, sent_at=OLD)))),
    (Reason.LOOP_GUARD, lambda: Case().spoil("turn", recent_bot_replies=6)),
    (Reason.ENGINE_FAILED, lambda: Case().spoil("reading", reasons=(Reason.ENGINE_FAILED,))),
    (Reason.FACTS_CHANGED, lambda: with_draft(fingerprint="other")),
    (Reason.PICTURE_REFUSED, lambda: with_picture(state=PictureState.FAILED, failure=Reason.PICTURE_REFUSED)),
    (Reason.PICTURE_UNREACHABLE, lambda: with_picture(state=PictureState.FAILED, failure=Reason.PICTURE_UNREACHABLE)),
    (Reason.PICTURE_UNREACHABLE, lambda: with_picture(state=PictureState.FETCHING, sha256=None)),
    (Reason.PICTURE_UNREADABLE, lambda: with_picture(state=PictureState.FAILED)),
    (Reason.PICTURE_UNREADABLE, lambda: with_picture(sha256="b" * 64)),
    (Reason.PICTURE_LANGUAGE, lambda: with_look(notes=("language:ko",))),
    (Reason.TOO_MANY_PICTURES, lambda: four_pictures(5)),
    (Reason.SEVERAL_QUESTIONS, lambda: Case().spoil("reading", reasons=(Reason.SEVERAL_QUESTIONS,))),
    (Reason.UNSTATED_CLAIM, lambda: with_claim("明天到")),
    (Reason.UNSTATED_CLAIM, lambda: with_claim(" in stock")),
    (Reason.UNSTATED_CLAIM, lambda: with_claim("３")),
    (Reason.UNSTATED_CLAIM, lambda: with_claim("{order.number")),
    (Reason.UNSTATED_CLAIM, lambda: with_draft(text="另一句话")),
    (Reason.UNSTATED_CLAIM, lambda: with_draft(slots={})),
    (Reason.LANGUAGE_UNSUPPORTED, lambda: other_language("ru")),
    (Reason.LANGUAGE_UNSUPPORTED, lambda: other_language("en")),
    (Reason.LANGUAGE_UNSUPPORTED, lambda: with_draft(language="fr")),
    (Reason.LANGUAGE_UNSUPPORTED, lambda: other_language("und", question="nasaan po ang aking")),
    (Reason.KIND_NOT_ANSWERED, lambda: Case().spoil("reading", kind=Kind.PRODUCT)),
    (Reason.KIND_NOT_ANSWERED, lambda: with_look(kinds={Kind.SCENE: 0.6, Kind.ORDER: 0.4})),
    (Reason.KIND_NOT_ANSWERED, lambda: goods_case(looks=(a_look(), look(Kind.PRODUCT)))),
    (Reason.KIND_NOT_ANSWERED, lambda: goods_case(looks=(look(Kind.OTHER),))),
    (Reason.PRODUCT_UNKNOWN, lambda: goods_case(lookup(product("P2"), outcome=LookupOutcome.NONE))),
    (Reason.PRODUCT_CLOSE, lambda: goods_case(lookup(product(), product("P2"), outcome=LookupOutcome.CLOSE))),
    (Reason.PRODUCT_RECORD_TOO_OLD, lambda: goods_case(lookup(product(synced_at=NOW - timedelta(days=3))))),
    (Reason.PRODUCT_RECORD_TOO_OLD, lambda: goods_case(lookup(product(), stale=True))),
    (Reason.NO_ANSWER, lambda: with_draft(route=Route.CATALOG)),
    (Reason.FOREIGN_ORDER, lambda: beside_goods(owned_by=None)),
    (Reason.NO_SECOND_FIELD, lambda: beside_goods(second_field=None)),
    (Reason.NO_ANSWER, lambda: Case(no_draft=True)),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="refund")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="cancel")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="change")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="address")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="complaint")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="invoice")),
    (Reason.NO_ANSWER, lambda: Case().spoil("reading", intent="unknown")),
    (Reason.BELOW_THRESHOLD, lambda: text_case(**{"text/faq": Mode.AUTO})),
    (Reason.BELOW_THRESHOLD, lambda: automatic(a_fit(threshold=0.95))),
    (Reason.BELOW_THRESHOLD, lambda: automatic(a_fit(weights={"faq.score": 5.0, "words.likelihood": 1.0}))),
    (Reason.BELOW_THRESHOLD, lambda: automatic(a_fit(weights={}, bias=9.0))),
    (Reason.BELOW_THRESHOLD, lambda: automatic(a_fit(engines=("qwen",)))),
    (Reason.BELOW_THRESHOLD, lambda: automatic(wrong_target=0.01)),
    (Reason.BELOW_THRESHOLD, lambda: automatic(fits={"text/*": a_fit(), "*/*": a_fit(), "text/catalog": a_fit()})),
    (Reason.BELOW_THRESHOLD, lambda: Case(policy=Policy(fits={"order/proof": a_fit()}))),
    (Reason.NOT_IN_SHARE, lambda: automatic(shares={"text/faq": 0.0})),
    (Reason.NOT_IN_SHARE, lambda: Case(policy=Policy(shares={"order/proof": 0.0}))),
    (Reason.MODE_OFF, lambda: with_modes({"order/proof": Mode.OFF})),
    (Reason.MODE_SHADOW, lambda: with_modes({"order/proof": Mode.SHADOW})),
    (Reason.MODE_ASSIST, lambda: with_modes({"order/proof": Mode.ASSIST})),
    (Reason.MODE_ASSIST, lambda: with_modes({})),
    (Reason.MODE_ASSIST, lambda: Case(policy=Policy(share=0.0))),
    (Reason.MODE_ASSIST, lambda: text_case()),
    (Reason.EMPTY, lambda: with_message(text="  ", pictures=())),
]


def goods_case(*lookups: ProductLookup, **values: Any) -> Case:
    """A question about a product's picture, answered from the catalog."""
    read = reading("zh", "product", Kind.PRODUCT, **{"question": "有货吗", "looks": (look(Kind.PRODUCT),), **values})
    facts = Facts(products=lookups or (lookup(product()),), fingerprint="f1")
    uses = tuple(picture(n, sha256=one.picture_sha256) for n, one in enumerate(read.looks))
    turn = a_turn(messages=(message(text="有货吗", pictures=uses),))
    return Case(turn=turn, reading=read, facts=facts)


def beside_goods(**values: Any) -> Case:
    """An order screen beside a product: both are told."""
    shown = (a_look(), look(Kind.PRODUCT))
    case = goods_case(looks=shown).spoil("reading", kind=Kind.ORDER, intent="order_status")
    case.facts = owned(order(), customer_id=1, second_field="amount", products=(lookup(product(), number=2),))
    case.draft = made(case.reading, case.facts, shop())
    return case.spoil("facts", **values)


def unowned(**values: Any) -> Case:
    """The proof's draft kept, its facts spoilt."""
    case = Case()
    case.draft = made(case.reading, case.facts, shop())
    return case.spoil("facts", **values)


def typed_only() -> Case:
    case = Case(turn=a_turn(messages=(message(text=f"{NUMBER} 到哪了", pictures=()),)))
    return case.spoil("reading", looks=(), typed_order_ids=(NUMBER,), kind=Kind.TEXT)


def with_picture(**values: Any) -> Case:
    case = Case()
    case.draft = made(case.reading, case.facts, shop())
    return case.spoil("turn", messages=(message(pictures=(picture(**values),)),))


def with_modes(modes: dict[str, Mode]) -> Case:
    return Case(policy=Policy(modes=modes))


def other_language(language: str, **values: Any) -> Case:
    case = Case()
    case.draft = made(case.reading, case.facts, shop())
    return case.spoil("reading", language=language, **values)


@pytest.mark.parametrize(("reason", "build"), HOLDS)
def test_one_thing_wrong_holds_the_reply_and_is_named(reason: Reason, build: Callable[[], Case]) -> None:
    decision = build().decide()
    assert decision.action is Action.REVIEW
    assert reason in decision.reasons
    assert Reason.PROVEN not in decision.reasons
    assert decision.reasons == ordered(decision.reasons)


OPEN = {
    "no price in the record": lambda: goods_case(lookup(product(price=None)), aspects=("price",)),
    "a price for one of two": lambda: goods_case(
        lookup(product()), lookup(product("P2", price=None)), aspects=("price",)
    ),
    "no link that may be told": lambda: goods_case(lookup(product(url="javascript:x")), aspects=("link",)),
    "whether it fits": lambda: goods_case(aspects=("fit",)),
    "what goes with it": lambda: goods_case(aspects=("advice", "price")),
    "a colour nobody knows of": lambda: goods_case(aspects=("stock",), wanted={"colour": "red"}),
    "a size it does not come in": lambda: goods_case(
        lookup(product(attributes={"Size": "M"})), aspects=("stock",), wanted={"size": "XL"}
    ),
}


def test_an_engines_friendly_words_are_no_answer_to_a_question_of_price() -> None:
    case = goods_case(aspects=("price",))
    friendly = {"template_id": "written", "template": "很不错的选择。", "slots": {}, "text": "很不错的选择。"}
    case.draft = made(case.reading, case.facts, shop()).model_copy(update={**friendly, "route": Route.ADVICE})
    assert Reason.NO_ANSWER in case.decide().reasons
    assert Reason.NO_ANSWER not in case.spoil("reading", aspects=("advice",)).decide().reasons


@pytest.mark.parametrize("what", OPEN)
def test_a_reply_about_goods_that_leaves_open_what_is_asked_waits_for_a_person(what: str) -> None:
    assert Reason.NO_ANSWER in OPEN[what]().decide().reasons


@pytest.mark.parametrize(
    "build",
    [
        lambda: goods_case(aspects=("price", "stock", "link")),
        lambda: goods_case(lookup(product(price=None, stock=None, variants=variants(1, 0))), aspects=("stock",)),
        lambda: goods_case(lookup(product(attributes={"颜色": "黑色"})), aspects=("colour",), wanted={"colour": "red"}),
        lambda: goods_case(lookup(product(), product("P2"), outcome=LookupOutcome.CLOSE), aspects=("price",)),
    ],
)
def test_a_reply_about_goods_that_says_or_asks_back_what_is_asked_has_an_answer(build: Callable[[], Case]) -> None:
    assert Reason.NO_ANSWER not in build().decide().reasons


def test_every_reason_the_gate_can_give_has_a_test() -> None:
    folder = Path(gate.__file__).parent
    rules = "".join((folder / f"{name}.py").read_text("utf-8") for name in ("deciding", "rules", "leave"))
    named = {Reason[name] for name in re.findall(r"Reason\.([A-Z_]+)", rules)}
    assert named <= {reason for reason, _ in HOLDS} | {Reason.PROVEN, Reason.CALIBRATED}


def test_what_the_gate_does_not_judge_itself_is_passed_on_and_holds() -> None:
    for reason in Reason:
        if reason not in (Reason.PROVEN, Reason.CALIBRATED):
            decision = Case().spoil("reading", reasons=(reason,)).decide()
            assert (decision.action, reason in decision.reasons) == (Action.REVIEW, True)


def test_beside_a_product_an_order_keeps_every_rule_of_the_proof() -> None:
    case = beside_goods()
    assert "order.status" in (case.draft or made(case.reading, case.facts, shop())).slots
    assert case.decide().reasons == (Reason.MODE_ASSIST,)


def test_a_close_call_alone_holds_nothing_but_is_told_where_something_else_does() -> None:
    close = lookup(product(), product("P2"), outcome=LookupOutcome.CLOSE)
    assert goods_case(close).decide().reasons == (Reason.PRODUCT_CLOSE, Reason.MODE_ASSIST)


def test_a_reading_cannot_call_itself_proven() -> None:
    case = Case().spoil("reading", reasons=(Reason.PROVEN,)).spoil("turn", recent_bot_replies=9)
    assert case.decide().reasons == (Reason.LOOP_GUARD,)


def test_all_reasons_are_given_the_weightiest_first() -> None:
    case = Case(turn=a_turn(recent_bot_replies=6, owner=Owner.DESK, messages=(message(sent_at=OLD),)))
    assert case.decide().reasons == (Reason.TAKEN_OVER, Reason.STALE, Reason.LOOP_GUARD)


@pytest.mark.parametrize(
    "build",
    [
        lambda: with_message(sent_at=NOW - timedelta(seconds=900)),
        lambda: with_message(sent_at=NOW + timedelta(seconds=300)),
        lambda: Case().spoil("turn", recent_bot_replies=5),
        lambda: four_pictures(4),
        lambda: unowned(order=order(synced_at=NOW - timedelta(seconds=86_400))),
        lambda: unowned(second_field="time"),
        lambda: Case().spoil("reading", typed_order_ids=(NUMBER,)),
        lambda: with_look(value=f"{NUMBER[:4]} {NUMBER[4:]}"),
        lambda: other_language("und", question=""),
        lambda: other_language("und", question="ok"),
        lambda: automatic(),
        lambda: automatic(a_fit(threshold=1 / (1 + exp(-2.0)))),
        lambda: automatic(shares={"text/faq": 1.0, "text/catalog": 0.0}),
    ],
)
def test_what_is_just_within_the_rules_is_sent(build: Callable[[], Case]) -> None:
    decision = build().decide()
    sure = Reason.PROVEN if decision.route is Route.PROOF else Reason.CALIBRATED
    assert (decision.action, decision.reasons) == (Action.SEND, (sure,))


@pytest.mark.parametrize("intent", sorted(PROOF_INTENTS))
def test_information_about_a_proven_order_is_sent(intent: str) -> None:
    assert Case().spoil("reading", intent=intent).decide().action is Action.SEND


def test_a_rule_of_the_shop_waits_for_approval_until_its_mode_says_otherwise() -> None:
    assert text_case().decide().reasons == (Reason.MODE_ASSIST,)
    assert automatic().decide().action is Action.SEND
    without = automatic()
    without.draft = made(without.reading, without.facts, shop())
    assert Reason.NO_ANSWER in without.spoil("facts", faq=()).decide().reasons


def test_advice_for_a_wish_is_never_sent_even_when_its_mode_is_auto() -> None:
    case = text_case("refund", **{"*/*": Mode.AUTO}).spoil("facts", faq=())
    assert case.decide().reasons == (Reason.NO_ANSWER, Reason.BELOW_THRESHOLD)


def test_the_strictest_kind_of_the_turn_decides_the_mode() -> None:
    case = with_look(kinds={Kind.SCENE: 0.6, Kind.ORDER: 0.4})
    case.policy = Policy(modes={"order/proof": Mode.AUTO, "scene/proof": Mode.OFF})
    decision = case.decide()
    assert decision.mode is Mode.OFF
    assert {Reason.MODE_OFF, Reason.KIND_NOT_ANSWERED} <= set(decision.reasons)


@pytest.mark.parametrize(
    ("modes", "mode"),
    [
        ({}, Mode.ASSIST),
        ({"*/*": Mode.SHADOW}, Mode.SHADOW),
        ({"*/*": Mode.OFF, "*/proof": Mode.AUTO}, Mode.AUTO),
        ({"*/proof": Mode.AUTO, "order/*": Mode.SHADOW}, Mode.SHADOW),
        ({"*/proof": Mode.OFF, "order/*": Mode.AUTO}, Mode.OFF),
        ({"*/proof": Mode.OFF, "order/*": Mode.OFF, "order/proof": Mode.AUTO}, Mode.AUTO),
        ({"text/proof": Mode.AUTO}, Mode.ASSIST),
    ],
)
def test_the_most_exact_mode_wins_and_of_two_halves_the_stricter(modes: dict[str, Mode], mode: Mode) -> None:
    assert Policy(modes=modes).mode_for(Kind.ORDER, Route.PROOF) is mode


def test_only_proof_is_automatic_by_default() -> None:
    for kind in Kind:
        for route in Route:
            assert Policy().mode_for(kind, route) is (Mode.AUTO if route is Route.PROOF else Mode.ASSIST)


def test_a_share_is_kept_and_only_grows() -> None:
    chosen = {share: {turn for turn in range(4000) if in_share(turn, share)} for share in (0.0, 0.1, 0.5, 1.0)}
    assert not chosen[0.0]
    assert len(chosen[1.0]) == 4000
    assert chosen[0.1] < chosen[0.5] < chosen[1.0]
    assert 300 < len(chosen[0.1]) < 500
    assert 1850 < len(chosen[0.5]) < 2150


def test_a_decision_keeps_what_calibration_needs_to_know() -> None:
    sent = automatic().decide()
    assert sent.signals == {"faq.margin": hit().margin, "faq.score": hit().score}
    assert sent.score == a_fit().score(sent.signals)
    assert (sent.engines, sent.share, sent.audit_rate) == (("templates",), 1.0, 0.02)
    canary = automatic(shares={"text/faq": 0.05}).decide()
    assert (canary.mode, canary.share, canary.audit_rate) == (Mode.AUTO, 0.05, 1.0)
    watched = text_case().spoil("policy", fits={"text/faq": a_fit()}).decide()
    assert (watched.score, watched.share, watched.audit_rate) == (sent.score, None, None)


def test_the_smaller_of_the_two_shares_counts_and_a_held_turn_keeps_it() -> None:
    held = automatic(share=0.0, shares={"text/faq": 0.25}).decide()
    assert (held.mode, held.reasons, held.share) == (Mode.ASSIST, (Reason.MODE_ASSIST,), 0.0)
    by_turn = [automatic(shares={"text/faq": 0.25}).spoil("turn", turn_id=turn).decide() for turn in range(400)]
    assert [d.action is Action.SEND for d in by_turn] == [in_share(turn, 0.25) for turn in range(400)]
    assert {d.reasons for d in by_turn} == {(Reason.CALIBRATED,), (Reason.NOT_IN_SHARE,)}


def test_each_kind_of_a_turn_needs_a_fit_that_it_reaches() -> None:
    modes = {"*/*": Mode.AUTO}
    rule = Facts(faq=(hit(),), fingerprint="f1")
    words = reading("zh", "faq", Kind.TEXT, looks=(a_look(),), question="包邮吗")
    case = Case(reading=words, facts=rule, draft=made(words, rule, shop()))
    both = {"text/faq": a_fit(engines=("lite", "templates")), "order/faq": a_fit(engines=("lite", "templates"))}
    case.policy = Policy(modes=modes, fits=both)
    assert case.decide().action is Action.SEND
    case.policy = Policy(modes=modes, fits={"text/faq": both["text/faq"]})
    assert case.decide().reasons == (Reason.BELOW_THRESHOLD,)
    case.policy = Policy(modes=modes, fits=both | {"order/faq": a_fit(0.95, engines=("lite", "templates"))})
    assert case.decide().reasons == (Reason.BELOW_THRESHOLD,)


@pytest.mark.parametrize("route", [route for route in Route if route is not Route.PROOF])
@pytest.mark.parametrize("kind", list(Kind))
def test_no_route_but_proof_is_sent_without_a_fit_whatever_the_modes_say(kind: Kind, route: Route) -> None:
    case = text_case(**{"*/*": Mode.AUTO, f"{kind.value}/{route.value}": Mode.AUTO})
    one = made(case.reading, case.facts, shop())
    assert one is not None
    case.draft = one.model_copy(update={"route": route})
    decision = case.spoil("reading", kind=kind).decide()
    assert (decision.action, decision.score) == (Action.REVIEW, None)
    assert Reason.BELOW_THRESHOLD in decision.reasons


def test_every_reason_and_kind_has_words_for_the_agent() -> None:
    for kind in Kind:
        for reason in Reason:
            assert suggestion(reading(kind=kind), (reason,))
    assert Case().decide().suggestion == "probably an order question: proven by the record"
    assert Case().spoil("reading", intent="refund").decide().suggestion.startswith("probably an order question: ")


SPOILERS: dict[str, list[dict[str, Any]]] = {
    "turn": [
        {"owner": Owner.DESK},
        {"recent_bot_replies": 6},
        {"origin": "redraft"},
        {"customers": ()},
        {"customers": (customer(2),)},
        {"messages": (message(sent_at=OLD),)},
        {"messages": (message(revoked=True),)},
        {"messages": (message(), message(message_id=2, text="好", pictures=()))},
    ],
    "reading": [
        {"intent": "refund"},
        {"intent": "arrive_when"},
        {"intent": "unknown"},
        {"language": "ru"},
        {"language": "und"},
        {"reasons": (Reason.UPSET,)},
        {"kind": Kind.PRODUCT},
        {"kind": Kind.TEXT},
        {"typed_order_ids": ("1111222233334444555",)},
        {"typed_order_ids": (NUMBER,)},
        {"looks": ()},
        {"looks": (a_look(FieldState.CONFIRM),)},
        {"looks": (a_look(value="1111222233334444555"),)},
        {"looks": (a_look(), a_look(FieldState.UNREADABLE, None))},
    ],
    "facts": [
        {"order": None},
        {"owned_by": None},
        {"customer_id": 2},
        {"second_field": None},
        {"second_field": "time"},
        {"reasons": (Reason.FOREIGN_ORDER,)},
        {"fingerprint": "f2"},
        {"order": order(synced_at=NOW - timedelta(days=2))},
        {"faq": (hit(),)},
    ],
    "policy": [
        {"share": 0.0},
        {"share": 0.5},
        {"fits": {"text/faq": a_fit(), "order/faq": a_fit(engines=("lite", "templates"))}},
        {"fits": {"order/proof": a_fit(0.1, weights={"kind.mass": 1.0}, engines=("lite", "templates"))}},
        {"shares": {"order/proof": 0.3, "text/faq": 0.3}},
        {"modes": {"*/*": Mode.AUTO}},
        {"modes": {"order/proof": Mode.SHADOW}},
        {"order_max_age_s": 60.0},
        {"stale_after_s": 1.0},
    ],
}


def spoilers(record: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.sampled_from(SPOILERS[record]), max_size=2)


@settings(max_examples=400, deadline=None)
@given(
    spoilers("turn"),
    spoilers("reading"),
    spoilers("facts"),
    spoilers("policy"),
    st.booleans(),
    st.sampled_from(["", "", "一定到", " 7", "!"]),
)
def test_a_send_implies_the_whole_proof(
    turn: list[dict[str, Any]],
    read: list[dict[str, Any]],
    facts: list[dict[str, Any]],
    policy: list[dict[str, Any]],
    draft_first: bool,
    words: str,
) -> None:
    case = Case()
    drafted = made(case.reading, case.facts, shop()) if draft_first else None
    for record, changes in (("turn", turn), ("reading", read), ("facts", facts), ("policy", policy)):
        for values in changes:
            case.spoil(record, **values)
    if drafted is not None:
        case.draft = drafted.model_copy(update={"template": drafted.template + words, "text": drafted.text + words})
    elif case.reading.language == "ru":
        case.no_draft = True
    decision = case.decide()
    assert decision.reasons
    assert (decision.action is Action.SEND) == (decision.reasons in ((Reason.PROVEN,), (Reason.CALIBRATED,)))
    if decision.action is Action.SEND:
        assert_sendable(case)


def assert_sendable(case: Case) -> None:
    """The proof spelt out once more, without the gate's own helpers."""
    turn, read, facts = case.turn, case.reading, case.facts
    one = case.draft or made(read, facts, shop())
    assert turn.owner is Owner.BOT
    assert turn.origin == "customer"
    assert turn.recent_bot_replies < 6
    assert [c.customer_id for c in turn.customers] == [1] == list({m.customer_id for m in turn.messages})
    for one_message in turn.messages:
        assert not one_message.revoked
        assert (NOW - one_message.sent_at).total_seconds() <= case.policy.stale_after_s
    assert read.reasons == facts.reasons == ()
    assert read.language in ("zh", "und")
    assert find_claims(words_outside(one.template)) == ()
    assert one.fingerprint == facts.fingerprint
    assert "auto" in {mode.value for mode in case.policy.modes.values()}
    kinds = {read.kind, *(look.kind for look in read.looks)}
    assert in_share(turn.turn_id, min([1.0, *(case.policy.shares.get(f"{k.value}/{one.route}", 1.0) for k in kinds)]))
    if one.route is not Route.PROOF:
        assert {f"{kind.value}/{one.route.value}" for kind in kinds} <= set(case.policy.fits)
    if one.route is Route.PROOF:
        assert facts.order is not None
        assert facts.owned_by is not None
        assert facts.customer_id == 1
        assert facts.second_field in ("amount", "time")
        assert (NOW - facts.order.synced_at).total_seconds() <= case.policy.order_max_age_s
        assert read.intent in ("tracking", "arrive_when", "order_status", "ship_when", "order_amount", "order_number")
        numbers = [look.fields["order_id"] for look in read.looks]
        assert any(number.state is FieldState.READ for number in numbers)
        assert {n.value for n in numbers if n.state is FieldState.READ} == {facts.order.order_id}
        assert set(read.typed_order_ids) <= {facts.order.order_id}


def test_a_mode_or_share_of_no_kind_and_route_is_named() -> None:
    modes = {"*/*": Mode.OFF, "order/*": Mode.OFF, "order/prof": Mode.OFF, "orders/proof": Mode.OFF, "order": Mode.OFF}
    policy = Policy(modes=modes, shares={"text/faq": 0.5, "text/*": 0.5})
    assert policy.misspelt() == ["order/prof", "orders/proof", "order", "text/*"]
    with pytest.raises(ConfigError, match="order/prof"):
        bootstrap.first_policy(Settings(policy={"modes": {"order/prof": "off"}}))
