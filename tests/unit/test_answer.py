"""Drafts: the right template, facts only in slots, nothing disclosed that may not be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cs_bot.answer import LANGUAGES, ShopWords, check, draft
from cs_bot.answer.drafting import INFORMATION
from cs_bot.answer.templates import phrases
from cs_bot.answer.values import is_late, local_time, money, order_values
from cs_bot.claims import find_claims, languages_with_lexicon, slot_names, unknown_numbers, words_outside
from cs_bot.errors import DraftRefused
from cs_bot.records import Draft, Facts, Kind, Order, OrderStatus, Reading, Reason, Route
from cs_bot.settings import ShopSettings
from tests.unit.answer_cases import HELD, NOW, SNAPSHOTS, cases, hit, made, order, owned, reading, shop, snapshot

SECRET = "2845112344556677889"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reply_is_as_its_snapshot_says(language: str) -> None:
    expected = (SNAPSHOTS / f"{language}.txt").read_text("utf-8")
    assert snapshot(language) == expected, "raise the version, then: python -m tests.unit.answer_cases"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_template_states_anything_outside_its_slots(language: str) -> None:
    for template_id, template in phrases(language).templates.items():
        assert find_claims(words_outside(template), language) == (), template_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reply_passes_its_check_and_is_in_its_language(language: str) -> None:
    drafts = dict(cases(language))
    assert {one.template_id for one in drafts.values()} == set(phrases(language).templates)
    for one in drafts.values():
        assert check(one) == ()
        assert one.language == language
        assert language.split("-")[0] in languages_with_lexicon
        assert "{" not in one.text
        assert one.prompt_version == phrases(language).version


def test_all_languages_have_the_same_templates_slots_and_sentences() -> None:
    first = phrases("zh")
    for language in LANGUAGES:
        words = phrases(language)
        assert {k: sorted(slot_names(t)) for k, t in words.templates.items()} == {
            k: sorted(slot_names(t)) for k, t in first.templates.items()
        }
        assert {(name, status) for name, by in words.sentences.items() for status in by} == {
            (name, status) for name, by in first.sentences.items() for status in by
        }
        assert set(words.sentences["status"]) == {status.value for status in OrderStatus}
        assert words.version.startswith(f"{language}-")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_can_be_said_with_the_barest_record(language: str) -> None:
    words = phrases(language)
    for status in OrderStatus:
        known = order_values(order(status, full=False), shop(), words, NOW)
        for name in ("status", "arrival", "tracking"):
            assert words.sentence(name, status.value, known)


@pytest.mark.parametrize("name", [name for name in HELD if name != "unsure"])
def test_what_speaks_against_it_discloses_nothing_of_an_order_even_when_one_is_at_hand(name: str) -> None:
    for language in LANGUAGES:
        facts = owned(order(), reasons=(HELD[name],))
        if HELD[name] is Reason.PICTURE_UNREACHABLE:
            continue  # another picture failed; the owned order of the first one may be in the draft
        text = made(reading(language), facts, shop()).text
        for value in (SECRET, "SF1234567890123", "SF Express", "1,299"):
            assert value not in text


def test_foreign_and_unknown_orders_get_the_very_same_words() -> None:
    for language in LANGUAGES:
        one, other = (
            made(reading(language), Facts(reasons=(reason,)), shop())
            for reason in (Reason.FOREIGN_ORDER, Reason.UNKNOWN_ORDER)
        )
        assert one == other
        assert one.slots == {}


def test_an_order_without_owner_is_not_stated() -> None:
    made_draft = made(reading(), Facts(order=order(), owned_by=None), shop())
    assert SECRET not in made_draft.text
    assert made_draft.route is Route.ADVICE


def test_an_owned_order_without_second_field_has_a_ready_draft() -> None:
    made_draft = made(reading(), owned(order(), reasons=(Reason.NO_SECOND_FIELD,)), shop())
    assert made_draft.route is Route.PROOF
    assert SECRET in made_draft.text


def test_the_reply_states_the_record_and_only_the_record() -> None:
    record = order(OrderStatus.SHIPPED)
    one = made(reading("zh"), owned(record), shop())
    known = [record.order_id, record.tracking_no or "", "9月10日 01:00"]
    assert unknown_numbers(one.text, known) == ()
    assert one.slots["order.number"] == record.order_id
    assert one.fingerprint == "f1"


@pytest.mark.parametrize("intent", INFORMATION)
def test_a_late_order_says_so_whatever_is_asked_and_never_names_its_promise_as_to_come(intent: str) -> None:
    late = order(OrderStatus.PAID, paid_at=NOW - timedelta(hours=49))
    one = made(reading("zh", intent), owned(late), shop())
    assert "目前还没有发货" in one.text
    assert "不晚于" not in one.text
    assert one.template_id == (intent if intent in ("order_amount", "order_number") else "late")


def test_lateness_is_judged_from_the_records_own_time_then_from_the_shops_promise() -> None:
    paid = order(OrderStatus.PAID, paid_at=NOW - timedelta(hours=47, minutes=59))
    assert not is_late(paid, shop(), NOW)
    assert is_late(paid, shop(), NOW + timedelta(minutes=2))
    assert is_late(paid, shop(ship_within_hours=24), NOW)
    unpaid_time = order(OrderStatus.PAID, full=False, ordered_at=NOW - timedelta(hours=49))
    assert is_late(unpaid_time, shop(), NOW)
    promised = paid.model_copy(update={"ship_by": NOW - timedelta(minutes=1)})
    assert is_late(promised, shop(), NOW)
    shipped = order(OrderStatus.SHIPPED, ship_by=NOW - timedelta(days=3))
    assert not is_late(shipped, shop(), NOW)


def test_a_record_that_contradicts_itself_is_not_stated() -> None:
    odd = order(OrderStatus.PAID, shipped_at=NOW - timedelta(hours=2))
    assert made(reading(), owned(odd), shop()).template_id == "checking"


@pytest.mark.parametrize("intent", ["refund", "cancel", "change", "address", "complaint", "invoice"])
def test_a_wish_about_an_order_gets_its_state_and_no_decision(intent: str) -> None:
    assert made(reading("zh", intent), owned(order()), shop()).template_id == "request"


def test_a_rule_of_the_shop_answers_an_invoice_question_beside_an_order() -> None:
    one = made(reading("zh", "invoice"), owned(order(), faq=(hit(),)), shop())
    assert (one.template_id, one.route) == ("faq", Route.FAQ)
    assert SECRET not in one.text


@pytest.mark.parametrize(
    ("read", "facts", "template_id", "route"),
    [
        (reading("zh", "faq", Kind.TEXT), Facts(faq=(hit(),)), "faq", Route.FAQ),
        (reading("zh", "ship_when", Kind.TEXT), Facts(faq=(hit(),)), "faq", Route.FAQ),
        (reading("en", "faq", Kind.TEXT), Facts(faq=(hit("zh"),)), "checking", Route.ADVICE),
        (reading("zh", "ship_when", Kind.TEXT), Facts(), "no_number", Route.ADVICE),
        (reading("zh", "unknown", Kind.TEXT), Facts(), "checking", Route.ADVICE),
        (reading("zh", "greeting", Kind.TEXT), Facts(), "greeting", Route.ADVICE),
        (reading("zh", "complaint", Kind.TEXT), Facts(faq=(hit(),)), "apology", Route.ADVICE),
        (reading("zh", "product", Kind.PRODUCT), Facts(), "checking", Route.ADVICE),
        (reading("zh", "order_status"), Facts(), "no_number", Route.ADVICE),
        (reading("zh", "order_status"), Facts(reasons=(Reason.NUMBER_UNSURE,)), "ask_number", Route.ADVICE),
        (reading("zh", "order_status"), Facts(reasons=(Reason.ORDER_LIST,)), "ask_which", Route.ADVICE),
        (reading("zh", "order_status"), Facts(reasons=(Reason.SEVERAL_ORDERS,)), "ask_which", Route.ADVICE),
        (
            reading("zh", kind=Kind.OTHER, reasons=(Reason.PICTURE_UNREADABLE,)),
            Facts(),
            "ask_picture",
            Route.ADVICE,
        ),
        (reading("zh", reasons=(Reason.ASKED_FOR_PERSON,)), owned(order()), "person", Route.ADVICE),
        (reading("zh", reasons=(Reason.UPSET,)), owned(order()), "apology", Route.ADVICE),
    ],
)
def test_the_template_follows_from_what_was_read_and_found(
    read: Reading, facts: Facts, template_id: str, route: Route
) -> None:
    one = made(read, facts, shop())
    assert (one.template_id, one.route, one.kind) == (template_id, route, read.kind)


def test_a_language_without_templates_has_no_draft() -> None:
    assert draft(reading("ru"), owned(order()), shop=shop(), now=NOW) is None


def test_an_untold_language_is_answered_in_the_shops() -> None:
    assert made(reading("und"), owned(order()), shop("en")).language == "en"


def test_the_writing_of_the_question_decides_between_the_chinese_scripts() -> None:
    assert made(reading("zh", question="訂單到哪了"), owned(order()), shop()).language == "zh-Hant"
    assert made(reading("zh", question="订单到哪了"), owned(order()), shop()).language == "zh"


HOSTILE = [
    "{order.amount} {shop.name}",
    "}{",
    "{{order.number}}",
    "\\g<1> \\1 %s {0}",
    "<script>alert(1)</script>",
    "a\u202eb\u2066\u200b\x00\x1b[31m",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_text(value: str) -> None:
    one = made(reading(), owned(order(carrier=value)), shop())
    kept = "".join(char for char in value if char.isprintable())
    assert kept in one.text
    assert check(one) == ()
    for char in "\u202e\u2066\u200b\x00\x1b":
        assert char not in one.text


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_faq_answer_stays_text(value: str) -> None:
    one = made(reading("zh", "faq", Kind.TEXT), Facts(faq=(hit(answer=value),)), shop())
    assert "".join(char for char in value if char.isprintable()) in one.text


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_of_a_record_breaks_a_draft(carrier: str, tracking: str) -> None:
    one = made(reading(), owned(order(carrier=carrier, tracking_no=tracking)), shop())
    assert check(one) == ()
    assert one.template == phrases("zh").templates["order_status"]


@pytest.mark.parametrize("changes", [{"order_id": "9" * 65}, {"order_id": "\u200b"}, {"tracking_no": "1" * 65}])
def test_a_value_that_cannot_be_true_is_not_stated(changes: dict[str, str]) -> None:
    one = made(reading(), owned(order(**changes)), shop())
    assert one.template_id == "checking"


def test_a_faq_answer_beyond_the_cap_is_not_cut_but_left_to_a_person() -> None:
    facts = Facts(faq=(hit(answer="x" * 2001),))
    assert made(reading("zh", "faq", Kind.TEXT), facts, shop()).template_id == "checking"


def test_a_text_that_is_not_its_filled_template_is_refused() -> None:
    one = made(reading(), owned(order()), shop())
    with pytest.raises(DraftRefused):
        check(one.model_copy(update={"text": one.text + "!"}))


def test_a_template_that_states_something_is_found() -> None:
    one = made(reading(), owned(order()), shop())
    template = one.template + "明天一定到，有货"
    changed: Draft = one.model_copy(update={"template": template, "text": one.text + "明天一定到，有货"})
    assert check(changed)


@pytest.mark.parametrize(
    ("amount", "currency", "language", "text"),
    [
        ("1299", "CNY", "zh", "1,299.00 元"),
        ("0.5", "CNY", "zh", "0.50 元"),
        ("12.345", "CNY", "zh", "12.345 元"),
        ("1299", "CNY", "en", "1,299.00 CNY"),
        ("9.9", "USD", "en", "$9.90"),
        ("9.9", "usd", "zh", "9.90 USD"),
        ("1299", "JPY", "ja", "1,299円"),
        ("1299.5", "JPY", "ja", "1,299.50円"),
        ("25000", "KRW", "ko", "25,000원"),
        ("399", "TWD", "zh-Hant", "NT$399.00"),
        ("1E+3", "CNY", "zh", "1,000.00 元"),
    ],
)
def test_money_is_written_for_people_and_never_rounded(amount: str, currency: str, language: str, text: str) -> None:
    assert money(Decimal(amount), currency, phrases(language)) == text


def test_times_are_on_the_shops_clock_with_the_year_when_it_is_another() -> None:
    at = datetime(2026, 9, 2, 17, 5, tzinfo=UTC)
    assert local_time(at, shop(), phrases("zh"), NOW) == "9月3日 01:05"
    assert local_time(at, shop(timezone="America/New_York"), phrases("en"), NOW) == "2 Sep, 13:05"
    assert local_time(at, shop(), phrases("ja"), NOW.replace(year=2027)) == "2026年9月3日 01:05"
    assert local_time(datetime(2025, 12, 31, 20, 0, tzinfo=UTC), shop(), phrases("ko"), NOW) == "1월 1일 04:00"


def test_shop_words_come_from_the_settings_and_refuse_an_unknown_clock() -> None:
    assert ShopWords.of(ShopSettings(name="Example")).name == "Example"
    with pytest.raises(ValidationError, match="unknown time zone"):
        shop(timezone="Mars/Olympus")


def test_a_sign_off_ends_the_reply() -> None:
    one = made(reading(), owned(order()), shop(sign_off="Example Team"))
    assert one.text.endswith("\nExample Team")


def test_the_same_reading_and_facts_make_the_same_draft() -> None:
    record: Order = order()
    assert made(reading(), owned(record), shop()) == made(reading(), owned(record), shop())
