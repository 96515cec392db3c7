"""Guards, each with the story that breaks when it is gone; some are masked by a second guard, which is said here."""

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pytest

from cs_bot.deliver import claiming as send_claims
from cs_bot.deliver import sending, settling
from cs_bot.review import actions
from cs_bot.store.queries import conversations, messages, outbound, pictures, reviews
from cs_bot.turns import arrival, claiming, people, work
from tests.faults import scenarios as s
from tests.faults import takeovers as t
from tests.faults.desk import Desk
from tests.faults.world import World

Story = Callable[[World, Desk], None]


@dataclass(frozen=True)
class Cut:
    """One piece of a function's source replaced."""

    module: ModuleType
    function: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Mutant:
    """A guard taken out. `masked_by`: with this cut alone the story still holds, because of the second guard."""

    name: str
    story: Story
    cuts: tuple[Cut, ...]
    mode: str = "key"
    masked_by: str = ""


def apply(cuts: tuple[Cut, ...], patch: pytest.MonkeyPatch) -> None:
    """Replace the functions wherever they were imported. Patching is the point: the code itself must change."""
    sources: dict[tuple[ModuleType, str], str] = {}
    for cut in cuts:
        where = (cut.module, cut.function)
        source = sources.get(where) or textwrap.dedent(inspect.getsource(getattr(*where)))
        if source.count(cut.old) != 1:
            raise LookupError(f"{cut.module.__name__}.{cut.function} does not have once: {cut.old}")
        sources[where] = source.replace(cut.old, cut.new)
    for (module, name), source in sources.items():
        original, made = getattr(module, name), {}
        exec(compile(source, name, "exec"), vars(module), made)
        for user in [m for path, m in sys.modules.items() if path.startswith("cs_bot")]:
            if vars(user).get(name) is original:
                patch.setattr(user, name, made[name])


FENCE = Cut(conversations, "_give_lease_back", "conversations.c.fence == fence,")
ONCE = Cut(outbound, "add", '"origin": origin,', "'origin': f'{origin}:{uuid4()}',")
REOPENED = Cut(conversations, "_give_lease_back", "conversations.c.lease_until.is_not(None),")
HEAD = Cut(outbound, "_head", ".order_by(outbound.c.id)", ".order_by(outbound.c.id.desc())")
BLOCKED = Cut(outbound, "_candidates", "~blocked, ")
OWNER = Cut(send_claims, "_blocked_by", 'conversation["owner"] != Owner.BOT or ')
EPOCH = Cut(send_claims, "_blocked_by", ' or conversation["epoch"] != row["epoch"]')
SPEAKER = Cut(
    send_claims, "_blocked_by", 'conversation["owner"] != Owner.BOT or conversation["epoch"] != row["epoch"]', "False"
)
TAKEN_AT_ARRIVAL = Cut(arrival, "_ends_at_once", 'if row["owner"] == Owner.OUTSIDE:', "if False:")
TAKEN_AT_FINISH = Cut(work, "finish", 'if row["owner"] == Owner.OUTSIDE:', "if False:")

MUTANTS = (
    Mutant("the fence at finish", s.a_worker_that_lost_its_lease_can_not_finish, (FENCE, REOPENED)),
    Mutant("the fence and the once-only origin", s.two_results_of_one_turn_show_one_reply, (FENCE, REOPENED, ONCE)),
    Mutant(
        "absorbing",
        s.a_message_that_comes_meanwhile_is_absorbed,
        (Cut(work, "finish", " or others_wait"),),
    ),
    Mutant(
        "the look for revoked messages at finish",
        s.a_message_taken_back_while_it_is_worked_on_is_not_answered,
        (Cut(work, "finish", "revoked = open_ids != seen_ids", "revoked = False"),),
    ),
    Mutant(
        "counting attempts at the claim",
        s.what_kills_its_worker_goes_to_a_person,
        (Cut(claiming, "_claim_one", " + (1 if again else 0)"),),
    ),
    Mutant(
        "a bound of the attempts",
        s.what_kills_its_worker_goes_to_a_person,
        (Cut(claiming, "_claim_one", "attempts > settings.turns.max_attempts", "False"),),
    ),
    Mutant(
        "running a suspect alone",
        s.a_suspect_turn_runs_alone,
        (Cut(claiming, "_claim_due", "if alone and claimed:", "if False:"),),
        masked_by="stopping after a suspect",
    ),
    Mutant(
        "waiting messages join the review",
        s.waiting_messages_join_the_review,
        (Cut(messages, "join_review", "where(_waiting(conversation_id))", "where(_waiting(-1))"),),
    ),
    Mutant(
        "a takeover ends what waits for its next attempt",
        t.a_takeover_ends_what_waits_for_its_next_attempt,
        (Cut(people, "end_unsent", "if working is not None:", "if False:"),),
    ),
    Mutant(
        "a takeover ends what a worker has",
        t.what_a_worker_has_is_theirs_who_took_over,
        (
            Cut(
                people,
                "end_unsent",
                "if working is not None:",
                'if working is not None and row["lease_until"] is None:',
            ),
        ),
    ),
    Mutant(
        "a takeover ends the replies in the outbox",
        t.a_reply_in_the_outbox_is_theirs_who_took_over,
        (
            Cut(people, "end_unsent", 'outbound.cancel_replies(tx, row["id"], Reason.TAKEN_OVER)', "[]"),
            Cut(send_claims, "_blocked", "or reason in ASKS", ""),
        ),
    ),
    Mutant(
        "a reply of before a takeover goes to a person",
        t.a_reply_on_its_way_at_a_takeover_is_not_made_anew,
        (Cut(send_claims, "_blocked", "or reason in ASKS", ""),),
    ),
    Mutant(
        "an agent hands over what the bot has, too",
        t.an_agent_who_hands_over_hands_over_all,
        (Cut(actions, "hand_over", "end_unsent(tx, conversation)", "pass"),),
    ),
    Mutant(
        "a bound of a picture's attempts",
        s.a_picture_that_kills_its_workers_is_given_up,
        (Cut(pictures, "claim", "picture_uses.c.attempts < max_attempts,"),),
    ),
    Mutant(
        "messages are unique",
        s.the_same_message_is_stored_once,
        (Cut(arrival, "_store", '"external_id": one.message.message_id', '"external_id": str(one.event_id)'),),
    ),
    Mutant("the order of sends", s.replies_go_out_in_order, (HEAD,)),
    Mutant("who owns the conversation", s.the_bot_is_silent_in_a_conversation_of_the_desk, (OWNER,)),
    Mutant("the epoch", t.a_takeover_that_is_over_stops_the_replies_made_before_it, (EPOCH,)),
    Mutant("owner and epoch", t.a_takeover_stops_a_reply_that_comes_back, (SPEAKER,)),
    Mutant(
        "the owner at arrival, finish and send",
        t.a_message_in_a_taken_conversation_is_not_answered,
        (TAKEN_AT_ARRIVAL, TAKEN_AT_FINISH, SPEAKER),
    ),
    Mutant(
        "an older owner event never wins",
        t.an_older_event_does_not_give_the_conversation_back,
        (Cut(conversations, "set_owner", "elif known is not None and at < known:", "elif False:"),),
    ),
    Mutant(
        "the open review at the send",
        s.the_bot_is_silent_while_a_review_is_open,
        (Cut(send_claims, "_blocked_by", 'row["open_review_id"] is not None', "False"),),
    ),
    Mutant(
        "the look for revoked messages at the send",
        s.a_reply_to_a_revoked_message_is_not_sent,
        (Cut(send_claims, "_blocked_by", 'm["end"] == End.REVOKED and ', "False and "),),
    ),
    Mutant(
        "an end is written once",
        s.an_end_never_changes,
        (Cut(messages, "end", "where(which, messages.c.end.is_(None))", "where(which)"),),
    ),
    Mutant(
        "facts fetched again",
        s.changed_facts_send_the_draft_back,
        (Cut(send_claims, "_blocked_by", 'refetch(tx, facts["keys"]) != facts["fingerprint"]', "False"),),
    ),
    Mutant(
        "staleness at the send",
        s.a_stale_message_goes_to_a_person,
        (Cut(send_claims, "_blocked_by", 'tx.now() - m["sent_at"] >', 'False and tx.now() - m["sent_at"] >'),),
    ),
    Mutant(
        "what may have arrived is not answered anew",
        s.what_may_have_arrived_is_not_answered_anew,
        (Cut(send_claims, "_blocked", 'if row["maybe_sent"]:', "if False:"),),
    ),
    Mutant(
        "a resend needs a key",
        s.a_lost_answer_is_not_sent_again_blindly,
        (Cut(settling, "_settle", "channel is not None and channel.caps.idempotent_send and not exhausted", "True"),),
        mode="none",
    ),
    Mutant(
        "an unknown outcome is not a refusal",
        s.a_lost_answer_is_not_sent_again_blindly,
        (Cut(sending, "_outcome", "receipt.state is SendState.UNKNOWN", "False"),),
        mode="none",
    ),
    Mutant(
        "a dead sender's outcome is unknown",
        s.a_dead_sender_is_not_repeated_blindly,
        (Cut(outbound, "give_up_sending", 'state="unknown"', 'state="pending"'),),
        mode="none",
    ),
    Mutant(
        "the token of an attempt",
        s.an_old_attempt_can_not_speak_for_a_new_one,
        (Cut(outbound, "settle", "outbound.c.send_token == token, "),),
        mode="lookup",
    ),
    Mutant(
        "the version of a review",
        s.an_approval_of_an_old_version_is_refused,
        (Cut(reviews, "move", ", reviews.c.version == version]", "]"),),
    ),
    Mutant(
        "a new message moves the version",
        s.an_approval_of_an_old_version_is_refused,
        (Cut(arrival, "_take_its_place", "reviews.bump(tx, review_id)", "pass"),),
    ),
    Mutant(
        "only an open review is decided",
        s.one_answer_of_two_clicks,
        (Cut(reviews, "move", 'reviews.c.state == "open", reviews.c.version == version', "True"),),
    ),
    Mutant(
        "an answer that failed reopens a review",
        s.an_answer_that_is_refused_opens_a_review_again,
        (Cut(messages, "change_review", "of_review(old_review_id)", "of_review(-1)"),),
    ),
    # Masked: a second guard holds the promise; the pair is in the list above, or goes with it here.
    Mutant(
        "the fence alone", s.two_results_of_one_turn_show_one_reply, (FENCE, REOPENED), masked_by="once-only origin"
    ),
    Mutant("the once-only origin alone", s.two_results_of_one_turn_show_one_reply, (ONCE,), masked_by="the fence"),
    Mutant(
        "the number of the fence alone",
        s.two_results_of_one_turn_show_one_reply,
        (FENCE,),
        masked_by="a lease given back in order",
    ),
    Mutant(
        "the head of the line in the query", s.replies_go_out_in_order, (BLOCKED,), masked_by="the claim's own look"
    ),
    Mutant(
        "owner and epoch, for what is still queued",
        t.a_takeover_stops_a_queued_reply,
        (SPEAKER,),
        masked_by="its end at the takeover",
    ),
    Mutant(
        "the owner at the send, after a takeover",
        t.a_takeover_stops_a_reply_that_comes_back,
        (OWNER,),
        masked_by="the epoch",
    ),
    Mutant(
        "the owner at arrival",
        t.a_message_in_a_taken_conversation_is_not_answered,
        (TAKEN_AT_ARRIVAL,),
        masked_by="the owner at finish",
    ),
    Mutant(
        "the owner at arrival and finish",
        t.a_message_in_a_taken_conversation_is_not_answered,
        (TAKEN_AT_ARRIVAL, TAKEN_AT_FINISH),
        masked_by="the owner at the send",
    ),
)

STORIES: tuple[tuple[Story, str], ...] = tuple(dict.fromkeys((m.story, m.mode) for m in MUTANTS))
