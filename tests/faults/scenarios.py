"""Short stories, each about one guard: true of the code as it is, broken when the guard is gone (mutants.py)."""

from cs_bot import turns
from cs_bot.errors import LeaseLost
from cs_bot.records import Action, Reason, Turn
from tests.faults.desk import Desk
from tests.faults.promises import Composed, must
from tests.faults.world import PICTURE, World


def asked(world: World, conversation: str = "c0") -> Turn:
    """A customer writes and a worker has the turn."""
    world.customer_writes(conversation)
    world.tick(4.0)
    return world.claim()[0]


def answered(world: World, conversation: str = "c0") -> None:
    """A customer writes and the bot's reply waits in the outbox."""
    must(world.finish(asked(world, conversation)) == "send", "the reply is queued")


def held(world: World, desk: Desk) -> None:
    """A customer writes and a review is open."""
    world.finish(asked(world), Action.REVIEW)
    must(len(desk.open_reviews()) == 1, "a review is open")


def shown(world: World) -> int:
    """How many things customers have seen."""
    return sum(len(platform.shown) for platform in world.platforms.values())


def send_all(world: World, how: str = "ok") -> None:
    """Deliver workers send what may be sent now."""
    while (flight := world.claim_send()) is not None:
        world.send(flight, how)


# --- turns


def a_worker_that_lost_its_lease_can_not_finish(world: World, desk: Desk) -> None:
    zombie = asked(world)
    world.tick(31.0)
    second = world.claim()[0]
    must(world.finish(zombie) == "lost", "the zombie's result is thrown away")
    must(world.finish(second) == "send", "the newer result counts")
    world.drain()


def two_results_of_one_turn_show_one_reply(world: World, desk: Desk) -> None:
    zombie = asked(world)
    world.tick(31.0)
    for turn in (world.claim()[0], zombie):
        names = frozenset(m.external_id for m in turn.messages)
        world.memory.composing = Composed(names, 0, world.memory.step)
        try:
            turns.finish(world.database, turn, world.work(turn, Action.SEND, ()), settings=world.settings)
        except LeaseLost:
            world.memory.composing = None
        world.done()
    world.drain()


def a_message_that_comes_meanwhile_is_absorbed(world: World, desk: Desk) -> None:
    first = asked(world)
    world.customer_writes(text="and when does it come")
    must(world.finish(first) == "restarted", "the turn starts again")
    world.tick(4.0)
    both = world.claim()[0]
    must(len(both.messages) == 2 and both.attempts == 1, "it has both messages, under the same attempt")
    world.finish(both)
    world.drain()


def a_message_taken_back_while_it_is_worked_on_is_not_answered(world: World, desk: Desk) -> None:
    gone = world.customer_writes(text="my address is wrong")
    turn = asked(world)
    world.revoke(gone)
    must(world.finish(turn) == "restarted", "the turn starts again without it")
    world.drain()


def what_kills_its_worker_goes_to_a_person(world: World, desk: Desk) -> None:
    world.customer_writes()
    world.tick(4.0)
    for attempt in (1, 2, 3):
        claimed = world.claim()
        must([turn.attempts for turn in claimed] == [attempt], "every claim after a crash counts")
        world.crash(claimed[0])
        world.tick(31.0)
    must(not world.claim() and len(desk.open_reviews()) == 1, "after three attempts a person is asked")


def a_suspect_turn_runs_alone(world: World, desk: Desk) -> None:
    for name in ("c0", "c1"):
        world.customer_writes(name)
    world.tick(4.0)
    for turn in world.claim():
        world.crash(turn)
    world.tick(31.0)
    must(len(world.claim()) == 1, "alone")


def waiting_messages_join_the_review(world: World, desk: Desk) -> None:
    answered(world)
    world.customer_writes(text="hello?")
    send_all(world, "forbidden")
    must(len(desk.open_reviews()) == 1, "the reply was refused for good: a person is asked")


def a_picture_that_kills_its_workers_is_given_up(world: World, desk: Desk) -> None:
    world.customer_writes(pictures=(PICTURE,))
    for _ in range(5):
        world.fetch_crashes()
        world.tick(31.0)
    world.sweep()
    must(not world.pictures_waiting(), "given up")


def the_same_message_is_stored_once(world: World, desk: Desk) -> None:
    message_id = world.customer_writes()
    world.message_again(message_id)
    world.delivery_again(0)


# --- sends


def replies_go_out_in_order(world: World, desk: Desk) -> None:
    answered(world)
    flight = world.claim_send()
    assert flight is not None
    world.send(flight, "refused")
    answered(world)
    must(world.claim_send() is None, "the second waits for the first")
    world.tick(8.0)
    send_all(world)
    must(shown(world) == 2, "both are shown")


def the_bot_is_silent_in_a_conversation_of_the_desk(world: World, desk: Desk) -> None:
    world.finish(asked(world), Action.REVIEW, (Reason.ASKED_FOR_PERSON,))
    card = desk.take()
    assert card is not None
    desk.act(card, "approve")
    send_all(world)
    world.finish(asked(world))
    send_all(world)
    must(shown(world) == 1, "only the person's answer")


def the_bot_is_silent_while_a_review_is_open(world: World, desk: Desk) -> None:
    answered(world)
    world.finish(asked(world), Action.REVIEW)
    send_all(world)
    must(shown(world) == 0, "a person answers both")


def a_reply_to_a_revoked_message_is_not_sent(world: World, desk: Desk) -> None:
    world.customer_writes()
    answered(world)
    world.revoke("m1")
    send_all(world)
    must(shown(world) == 0, "that reply is void")
    world.drain()


def an_end_never_changes(world: World, desk: Desk) -> None:
    answered(world)
    flight = world.claim_send()
    assert flight is not None
    world.revoke("m1")
    world.send(flight)


def changed_facts_send_the_draft_back(world: World, desk: Desk) -> None:
    answered(world)
    world.change_facts(world.conversation_ids()[0])
    send_all(world)
    world.drain()
    must(shown(world) == 1, "answered from the new facts")


def a_stale_message_goes_to_a_person(world: World, desk: Desk) -> None:
    answered(world)
    world.tick(1000.0)
    send_all(world)
    must(shown(world) == 0 and len(desk.open_reviews()) == 1, "a person answers")


def what_may_have_arrived_is_not_answered_anew(world: World, desk: Desk) -> None:
    """Key mode: the reply was shown, its answer lost; before it is sent again the facts change."""
    answered(world)
    send_all(world, "answer lost")
    world.tick(31.0)
    world.sweep()
    world.tick(4.0)
    world.change_facts(world.conversation_ids()[0])
    send_all(world)
    world.drain()
    must(shown(world) == 1, "shown once")


def a_lost_answer_is_not_sent_again_blindly(world: World, desk: Desk) -> None:
    """Without key and look-up."""
    answered(world)
    send_all(world, "answer lost")
    world.tick(31.0)
    world.sweep()
    world.tick(4.0)
    send_all(world)
    must(shown(world) == 1 and len(desk.open_reviews()) == 1, "a person looks")


def a_dead_sender_is_not_repeated_blindly(world: World, desk: Desk) -> None:
    """Without key and look-up."""
    answered(world)
    send_all(world, "dies after")
    world.tick(31.0)
    world.sweep()
    world.sweep()
    world.tick(4.0)
    send_all(world)
    must(shown(world) == 1 and len(desk.open_reviews()) == 1, "a person looks")


def an_old_attempt_can_not_speak_for_a_new_one(world: World, desk: Desk) -> None:
    """With look-up: the first sender slept, the second has sent but not said so yet."""
    answered(world)
    sleeper = world.claim_send()
    world.tick(31.0)
    world.sweep()
    world.tick(4.0)
    awake = world.claim_send()
    assert sleeper is not None
    assert awake is not None
    world.send(awake, "dies after")
    world.send(sleeper)
    world.drain()


# --- people


def an_approval_of_an_old_version_is_refused(world: World, desk: Desk) -> None:
    held(world, desk)
    card = desk.take()
    assert card is not None
    world.customer_writes(text="no, the other order")
    must(not desk.act(card, "approve"), "the agent has not seen the new message")


def one_answer_of_two_clicks(world: World, desk: Desk) -> None:
    held(world, desk)
    card = desk.take()
    assert card is not None
    must(desk.act(card, "approve") and not desk.act(card, "edit"), "the second click is refused")
    world.drain()
    must(shown(world) == 1, "one answer")


def an_answer_that_is_refused_opens_a_review_again(world: World, desk: Desk) -> None:
    held(world, desk)
    card = desk.take()
    assert card is not None
    desk.act(card, "edit")
    send_all(world, "forbidden")
    must(len(desk.open_reviews()) == 1, "the message is back in the queue")
    again = desk.take()
    assert again is not None
    must(desk.act(again, "edit"), "and can be answered again")
    world.drain()
    must(shown(world) == 1 and set(world.memory.ends.values()) == {"person"}, "one answer")
