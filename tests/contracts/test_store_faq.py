"""FAQ entries and their search, on each kind of database."""

import string
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cs_bot.knowledge.faq import search, search_column
from cs_bot.knowledge.words import grams, terms
from cs_bot.records import FaqHit
from cs_bot.schemas import FaqIn
from cs_bot.store.database import Database
from cs_bot.store.queries import faq
from cs_bot.store.queries.saved import Saved
from tests.makers import DAY, faq_in
from tests.plans import plans

ENTRIES = [
    faq_in("invoice", "可以开发票吗？", variants=["怎么开发票", "能开专票吗", "电子发票在哪里下载"]),
    faq_in("invoice", "Can I get an invoice?", "Yes, in the app.", language="en", variants=["where is my receipt"]),
    faq_in("return", "支持七天无理由退货吗？", variants=["怎么退货", "不喜欢可以退吗", "退货流程"]),
    faq_in("return", "How do I return an item?", language="en", variants=["What is your return policy?"]),
    faq_in("refund", "退款多久到账？", variants=["什么时候退钱给我", "退款没收到"]),
    faq_in("exchange", "尺码不合适可以换货吗？", variants=["怎么换大一码", "换货要多久"]),
    faq_in("freight", "运费多少钱？", variants=["包邮吗", "邮费谁出", "退货运费谁承担"]),
    faq_in("freight", "How much is shipping?", language="en", variants=["Is delivery free?"]),
    faq_in("ship_when", "下单后多久发货？", variants=["什么时候发货", "今天能发货吗"]),
    faq_in("ship_when", "When will my order ship?", language="en", variants=["shipping time"]),
    faq_in("carrier", "发什么快递？", variants=["可以发顺丰吗", "用哪家快递"]),
    faq_in("address", "下单后可以改地址吗？", variants=["地址填错了怎么办", "修改收货地址"]),
    faq_in("abroad", "可以寄到国外吗？", variants=["海外能发货吗", "港澳台能寄吗"]),
    faq_in("abroad", "Do you ship abroad?", language="en", variants=["international delivery"]),
    faq_in("genuine", "是正品吗？", variants=["有没有假货", "支持专柜验货吗"]),
    faq_in("warranty", "保修多长时间？", variants=["坏了怎么保修", "质保几年"]),
    faq_in("pay", "可以货到付款吗？", variants=["支持哪些付款方式", "能用花呗吗"]),
    faq_in("coupon", "优惠券怎么用？", variants=["有没有优惠", "优惠券用不了"]),
    faq_in("wash", "可以机洗吗？", variants=["怎么洗不缩水", "会不会掉色"]),
    faq_in("bridge", "长江大桥店几点开门？", variants=["线下门店地址"]),
    faq_in("gift", "可以送礼包装吗？", variants=["有礼盒吗"]),
    faq_in("ja", "返品できますか？", "できます。", language="ja"),
    faq_in("ko", "배송은 얼마나 걸리나요?", "2일", language="ko"),
]


def fill(database: Database, entries: Sequence[FaqIn] = ENTRIES) -> list[Saved]:
    with database.write() as tx:
        return faq.save_many(tx, [(entry, search_column(entry)) for entry in entries])


def ask(database: Database, question: str, language: str = "zh", limit: int = 3) -> tuple[FaqHit, ...]:
    with database.read() as tx:
        return search(tx, question, language, limit)


def ids(hits: Sequence[FaqHit]) -> list[str]:
    return [hit.faq.faq_id for hit in hits]


@pytest.mark.parametrize(
    ("question", "among"),
    [
        ("桥", {"bridge"}),
        ("洗", {"wash"}),
        ("票", {"invoice"}),
        ("长", {"bridge", "warranty"}),
        ("发票", {"invoice"}),
        ("大桥", {"bridge"}),
        ("包邮", {"freight"}),
        ("花呗", {"pay"}),
        ("江大桥", {"bridge"}),
        ("换大一", {"exchange"}),
        ("优惠券", {"coupon"}),
    ],
)
def test_short_chinese_questions_find_their_entries(database: Database, question: str, among: set[str]) -> None:
    fill(database)
    found = ids(ask(database, question, limit=len(ENTRIES)))
    assert among <= set(found)
    assert found[0] in among


SENTENCES = [
    ("你好，请问你们家可以开发票吗？我公司要报销用的", "zh", "invoice"),
    ("亲，我想要一张增值税专票能开吗", "zh", "invoice"),
    ("衣服买回来不喜欢，我想退货，该怎么操作呀", "zh", "return"),
    ("我昨天申请的退款到现在还没收到，多久能到账啊？", "zh", "refund"),
    ("鞋子小了能不能帮我换大一码", "zh", "exchange"),
    ("请问这个包邮吗，邮费要多少", "zh", "freight"),
    ("我昨天拍的今天能发货吗急用", "zh", "ship_when"),
    ("麻烦问一下你们发的是什么快递", "zh", "carrier"),
    ("刚才下单地址填错了怎么办能帮我改一下吗", "zh", "address"),
    ("我人在海外，请问能发货到这边吗", "zh", "abroad"),
    ("你们这个到底是不是正品，不会是假货吧", "zh", "genuine"),
    ("买回去用坏了怎么办，保修几年", "zh", "warranty"),
    ("能不能用花呗付款", "zh", "pay"),
    ("领的优惠券为什么用不了", "zh", "coupon"),
    ("这件毛衣可以机洗吗会不会缩水", "zh", "wash"),
    ("Hi there, can you please send me an invoice for my company?", "en", "invoice"),
    ("hello I would like to return the shoes I bought", "en", "return"),
    ("How much do you charge for shipping?", "en", "freight"),
    ("when are you going to ship my order", "en", "ship_when"),
    ("Do you ship to other countries abroad?", "en", "abroad"),
    ("すみません、この商品は返品できますか", "ja", "ja"),
    ("안녕하세요, 배송은 얼마나 걸리나요?", "ko", "ko"),
]


def test_whole_sentences_of_customers_find_the_right_entry_first(database: Database) -> None:
    fill(database)
    wrong = [
        (question, ids(hits))
        for question, language, right in SENTENCES
        if ids(hits := ask(database, question, language))[:1] != [right]
    ]
    assert wrong == []


def test_a_wording_that_equals_the_question_scores_one(database: Database) -> None:
    fill(database)
    hits = ask(database, "可以开发票吗")
    assert hits[0].score == 1.0
    assert hits[0].margin == pytest.approx(1.0 - hits[1].score)
    assert all(0 < hit.score <= 1 for hit in hits)
    assert ask(database, "电子发票在哪里下载")[0].score == 1.0


def test_a_question_about_something_else_scores_low_or_finds_nothing(database: Database) -> None:
    fill(database)
    assert ask(database, "xyzzy") == ()
    assert ask(database, "") == ()
    assert ask(database, "！？") == ()
    for question in ("今天天气真不错", "你们老板是谁", "帮我讲个笑话"):
        assert all(hit.score < 0.4 for hit in ask(database, question))


def test_the_last_hit_of_all_has_its_score_as_margin(database: Database) -> None:
    fill(database, [faq_in("invoice", "可以开发票吗")])
    (hit,) = ask(database, "发票")
    assert hit.margin == hit.score


def test_an_entry_found_in_another_language_is_given_in_the_customers(database: Database) -> None:
    fill(database)
    (hit, *_) = ask(database, "发票", "en")
    assert (hit.faq.faq_id, hit.faq.language, hit.faq.answer) == ("invoice", "en", "Yes, in the app.")
    assert "bridge" not in ids(ask(database, "长江大桥", "en", limit=20))
    assert {hit.faq.language for hit in ask(database, "可以发货吗", "en", limit=20)} == {"en"}


def test_regions_of_one_language_serve_each_other(database: Database) -> None:
    fill(database, [faq_in("a", "开发票", language="zh-TW"), faq_in("a", "开发票", language="zh-CN")])
    fill(database, [faq_in("b", "退货", language="zh-TW")])
    assert [hit.faq.language for hit in ask(database, "发票", "zh-TW")] == ["zh-TW"]
    assert [hit.faq.language for hit in ask(database, "发票", "zh")] == ["zh-CN"]
    assert [hit.faq.language for hit in ask(database, "退货", "zh-CN")] == ["zh-TW"]


def test_a_changed_entry_is_found_by_its_new_words_only(database: Database) -> None:
    fill(database, [faq_in("a", "开发票", updated_at=DAY)])
    assert fill(database, [faq_in("a", "改地址", updated_at=DAY + timedelta(days=1))]) == [Saved.UPDATED]
    assert ask(database, "发票") == ()
    assert ids(ask(database, "地址")) == ["a"]
    assert fill(database, [faq_in("a", "开发票", updated_at=DAY)]) == [Saved.STALE]
    assert fill(database, [faq_in("a", "改地址", updated_at=DAY + timedelta(days=1))]) == [Saved.UNCHANGED]
    assert ids(ask(database, "地址")) == ["a"]


def test_an_entry_without_a_time_counts_as_written_now_unless_it_says_the_same(database: Database) -> None:
    assert fill(database, [faq_in("a", "开发票")]) == [Saved.CREATED]
    with database.read() as tx:
        before = faq.get(tx, "a", "zh")
    database.shift(60)
    assert fill(database, [faq_in("a", "开发票")]) == [Saved.UNCHANGED]
    with database.read() as tx:
        assert faq.get(tx, "a", "zh") == before
    assert fill(database, [faq_in("a", "开发票", "新答案")]) == [Saved.UPDATED]
    with database.read() as tx:
        after = faq.get(tx, "a", "zh")
    assert before is not None
    assert after is not None
    assert after.updated_at - before.updated_at >= timedelta(seconds=60)


@pytest.mark.parametrize("question", ['"', "'", "\\", "' | 'x", '" OR "x', "a:*", "NEAR(", "开" * 20_000, "\x00票"])
def test_a_question_never_breaks_out_of_the_search_expression(database: Database, question: str) -> None:
    fill(database)
    ask(database, question)


ALPHABET = "开发票长江大桥退货返品배송éßİ" + string.ascii_letters + string.digits + " .-_/@:'\",，"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wording=st.text(ALPHABET, min_size=1, max_size=25))
def test_every_database_keeps_a_gram_as_one_token(database: Database, wording: str) -> None:
    column, wanted = grams(wording), terms(wording)
    if not wanted:
        return
    with database.write() as tx:
        faq.upsert(tx, faq_in("x", wording), column)
        for term in wanted:
            assert len(faq.candidates(tx, [(term.text, term.prefix)])) == 1, term


def test_search_uses_the_index(database: Database) -> None:
    fill(database, [faq_in(f"f{n}", f"第{n}个问题 {n:x}") for n in range(3000)])
    with database.write() as tx:
        tx.execute(text("ANALYZE"))
    with plans(database) as seen:
        assert ids(ask(database, "bb7", limit=1)) == [f"f{0xBB7}"]
    found = next(plan for plan in seen if "faq_search" in plan)
    assert "Bitmap Index Scan on faq_search_grams" in found or "SCAN faq_search VIRTUAL TABLE INDEX" in found
    assert "SCAN faq " not in found
    assert "SEARCH faq USING INTEGER PRIMARY KEY" in found or database.dialect == "postgresql"


def test_every_database_gives_the_same_ranking(database: Database, sqlite_database: Database) -> None:
    dated = [entry.model_copy(update={"updated_at": DAY}) for entry in ENTRIES]
    fill(sqlite_database, dated)
    fill(database, dated)
    for question, language, _ in SENTENCES:
        assert ask(database, question, language, 10) == ask(sqlite_database, question, language, 10)
