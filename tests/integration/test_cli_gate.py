"""gate and audit: what they say, what they change, and how they refuse."""

import pytest
from sqlalchemy import update

from cs_bot.records import Kind, Route
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import audits, outbound, policies
from tests.commands import Done, Run
from tests.judged import Shop


@pytest.fixture
def shop(sqlite_database: Database) -> Shop:
    return Shop(sqlite_database)


def test_a_shop_that_has_judged_nothing_is_told_so(run: Run) -> None:
    assert run("gate", "calibrate") == Done(0, "nothing has been judged yet\n", "")
    done = run("gate", "report")
    assert done.code == 0
    assert "autopilot off" in done.out
    assert run("audit", "next").out == "nothing waits for an audit\n"


def test_the_report_shows_where_kinds_stand_and_how_far_scores_can_be_trusted(run: Run, shop: Shop) -> None:
    shop.judge(900, wrong=9)
    shop.judge(50, key=(Kind.PRODUCT, Route.CATALOG))
    done = run("gate", "report")
    assert done.code == 0
    [faq] = [line for line in done.out.splitlines() if line.startswith(" text/faq")]
    assert "assist" in faq
    assert "900" in faq
    assert "stays assist: 50 judged, at least 149 are needed" in done.out
    detail = run("gate", "report", "text/faq").out
    for words in ("reliability", "risk-coverage", "ECE", "Brier", "faq.score"):
        assert words in detail
    assert shop.policy.version == 1


def test_a_calibration_is_looked_at_then_applied_then_stepped_by_hand(run: Run, shop: Shop) -> None:
    shop.judge(600)
    looked = run("gate", "calibrate", "text/faq")
    assert looked.code == 0
    assert "text/faq: threshold " in looked.out
    assert run("gate", "calibrate").out == looked.out
    assert shop.policy.version == 1
    applied = run("gate", "calibrate", "text/faq", "--apply")
    assert applied.out.strip() == looked.out.strip() + "; policy 2"
    assert shop.policy.shares == {"text/faq": 0.05}
    assert run("gate", "mode", "text/faq", "auto", "--share", "0.25").out == "text/faq is auto 25%; policy 3\n"
    assert run("gate", "mode", "text/faq", "assist").out == "text/faq is assist; policy 4\n"
    said = run("gate", "history", "--limit", "2").out.splitlines()
    assert said[0].startswith("4\t")
    assert said[0].endswith("command line\ttext/faq: auto 25% -> assist: set by hand")
    assert len(said) == 2


def test_a_roll_out_is_started_stepped_and_told_what_is_missing(run: Run, shop: Shop) -> None:
    assert run("gate", "start", "text/faq").out == "text/faq is shadow; policy 2\n"
    done = run("gate", "step", "text/faq")
    assert (done.code, done.out) == (1, "")
    assert "text/faq stays shadow: 0 judged, at least 149 are needed" in done.err
    shop.shadow([True] * 100 + [False] + [None] * 2)
    assert "100/1/2" in run("gate", "report").out
    assert run("gate", "start", "text/faq", "--from", "assist").code == 0
    assert shop.policy.starts == {"text/faq": "assist"}


def test_a_step_says_where_the_kind_stands_then(run: Run, shop: Shop) -> None:
    run("gate", "start", "text/faq")
    shop.shadow([True] * 400)
    assert run("gate", "step", "text/faq").out == "text/faq is auto 5%; policy 3\n"
    said = run("gate", "history", "--limit", "1").out
    assert "text/faq: shadow -> auto 5%: at most " in said


def test_numbers_of_the_policy_are_set_and_checked(run: Run, shop: Shop) -> None:
    assert run("gate", "set", "wrong_target", "0.01").out == "wrong_target is 0.01; policy 2\n"
    assert run("gate", "set", "autopilot", "true").out == "autopilot is True; policy 3\n"
    assert (shop.policy.wrong_target, shop.policy.autopilot) == (0.01, True)
    for value in ("2", "0", "few"):
        done = run("gate", "set", "wrong_target", value)
        assert done.code == 2
        assert f"wrong_target can't be '{value}'" in done.err
    assert shop.policy.version == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gate", "mode", "text/faq", "auto"), "cs-bot gate calibrate text/faq --apply"),
        (("gate", "mode", "text/faq", "sometimes"), "known: off, shadow, assist, auto"),
        (("gate", "mode", "text", "off"), "is not KIND/ROUTE"),
        (("gate", "start", "text/faq", "--from", "auto"), "starts from shadow or assist"),
        (("gate", "start", "text"), "is not KIND/ROUTE"),
        (("gate", "report", "text/poetry"), "routes: proof, catalog, faq, advice"),
        (("gate", "calibrate", "--apply"), "name the kind"),
        (("gate", "set", "modes", "{}"), "known: wrong_target"),
        (("audit", "judge", "1", "maybe", "--agent", "mei"), "right or wrong"),
    ],
)
def test_wrong_use_is_one_line_saying_what_to_do(run: Run, shop: Shop, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert words in done.err
    assert shop.policy.version == 1


def test_a_reply_is_judged_from_the_command_line(run: Run, shop: Shop) -> None:
    [(turn_id, decision_id, decision)] = shop.decide(1, audit_rate=1.0, share=1.0)
    with shop.database.write() as tx:
        audits.put_aside(tx, turn_id, decision_id, decision)
        reply = {"turn_id": turn_id, "origin": "turn:1:1", "kind": "reply", "text": "满 99 元包邮", "epoch": 0}
        outbound.add(tx, conversation_id=shop.conversation_id, **reply)
        tx.execute(update(tables.outbound).values(state="sent"))
    shown = run("audit", "next").out
    assert "reply     满 99 元包邮" in shown
    assert "cs-bot audit judge 1 right|wrong --agent NAME" in shown
    assert run("audit", "judge", "1", "wrong", "--agent", "nobody").err.strip().endswith("cs-bot user list")
    assert run("audit", "judge", "1", "wrong", "--agent", "mei").out == "audit 1: wrong\n"
    assert run("audit", "judge", "1", "right", "--agent", "mei").code == 1
    with shop.database.read() as tx:
        assert audits.by_state(tx) == {"wrong": 1}
        assert policies.current(tx) is not None
