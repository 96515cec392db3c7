"""Short stories about a person who takes over, as in scenarios.py."""

from tests.faults.desk import Desk
from tests.faults.promises import must
from tests.faults.scenarios import answered, asked, send_all, shown
from tests.faults.world import World


def a_takeover_ends_what_waits_for_its_next_attempt(world: World, desk: Desk) -> None:
    world.fail(asked(world))
    world.take_over()
    must(set(world.memory.ends.values()) == {"handed_over"}, "it ends with the person who took over")
    world.tick(130.0)
    world.sweep()
    must(not desk.open_reviews(), "no review is opened behind that person's back")


def what_a_worker_has_is_theirs_who_took_over(world: World, desk: Desk) -> None:
    turn = asked(world)
    world.take_over()
    must(set(world.memory.ends.values()) == {"handed_over"}, "it ends with the person who took over")
    world.agent_writes()
    world.release()
    must(world.finish(turn) == "lost", "the draft of before is thrown away")
    world.drain()
    must(shown(world) == 0, "the bot does not answer what a person has answered")


def a_reply_in_the_outbox_is_theirs_who_took_over(world: World, desk: Desk) -> None:
    answered(world)
    world.agent_writes()
    world.release()
    world.drain()
    must(shown(world) == 0, "the bot does not answer what a person has answered")
    must(set(world.memory.ends.values()) == {"handed_over", "ignored"}, "the question was the person's")


def a_reply_on_its_way_at_a_takeover_is_not_made_anew(world: World, desk: Desk) -> None:
    """The request is out when a person takes over; it is refused for now after that person has given back."""
    answered(world)
    flight = world.claim_send()
    assert flight is not None
    world.agent_writes()
    world.release()
    world.send(flight, "refused")
    world.tick(8.0)
    send_all(world)
    world.drain()
    must(shown(world) == 0, "the bot does not answer what a person may have answered")
    must(len(desk.open_reviews()) == 1, "a person looks")


def an_agent_who_hands_over_hands_over_all(world: World, desk: Desk) -> None:
    """A turn is worked on while a review of an earlier one is open."""
    answered(world)
    turn = asked(world)
    send_all(world, "forbidden")
    card = desk.take()
    assert card is not None
    must(desk.act(card, "hand over"), "the people outside answer")
    desk.give_back(world.conversation_ids()[0])
    world.finish(turn)
    world.drain()
    must("reply" not in [s.outbound.kind for p in world.platforms.values() for s in p.shown], "the bot is silent")


def a_takeover_stops_a_queued_reply(world: World, desk: Desk) -> None:
    answered(world)
    world.take_over()
    send_all(world)
    must(shown(world) == 0, "the bot is silent")


def a_takeover_stops_a_reply_that_comes_back(world: World, desk: Desk, *, given_back: bool = False) -> None:
    answered(world)
    flight = world.claim_send()
    assert flight is not None
    world.take_over()
    if given_back:
        world.release()
    world.send(flight, "refused")
    world.tick(8.0)
    send_all(world)
    must(shown(world) == 0, "that reply is void")


def a_takeover_that_is_over_stops_the_replies_made_before_it(world: World, desk: Desk) -> None:
    a_takeover_stops_a_reply_that_comes_back(world, desk, given_back=True)


def a_message_in_a_taken_conversation_is_not_answered(world: World, desk: Desk) -> None:
    turn = asked(world)
    world.take_over()
    world.finish(turn)
    world.customer_writes()
    world.tick(4.0)
    for late in world.claim():
        world.finish(late)
    send_all(world)
    must(shown(world) == 0 and "bot" not in world.memory.ends.values(), "a person answers")


def an_older_event_does_not_give_the_conversation_back(world: World, desk: Desk) -> None:
    world.take_over()
    world.release(age_s=20.0)
    world.customer_writes()
    world.drain()
    must(shown(world) == 0, "a person answers")
