"""What an agent is told first about a turn that is held."""

from cs_bot.records import Kind, Reading, Reason


def suggestion(reading: Reading, reasons: tuple[Reason, ...]) -> str:
    """One sentence for the agent: what it probably is, and what to look at first."""
    first = _HINTS.get(reasons[0], "")
    return f"{_SUBJECTS[reading.kind]}{': ' if first else ''}{first}"


_SUBJECTS = {
    Kind.PRODUCT: "probably a question about a product",
    Kind.COMPARISON: "probably a comparison of products",
    Kind.ORDER: "probably an order question",
    Kind.SCENE: "probably asks for advice on a photo",
    Kind.OTHER: "a picture of no known kind",
    Kind.TEXT: "a question in words",
}

_HINTS = {
    Reason.REVOKED: "the customer took a message back",
    Reason.TAKEN_OVER: "a person has taken over",
    Reason.REVIEW_OPEN: "a new draft was asked for",
    Reason.ASKED_FOR_PERSON: "the customer asks for a person",
    Reason.UPSET: "the customer is upset",
    Reason.MIXED_CUSTOMERS: "the messages are not of exactly one customer",
    Reason.FOREIGN_ORDER: "the order belongs to somebody else, disclose nothing",
    Reason.UNKNOWN_ORDER: "no such order in the records",
    Reason.ORDER_RECORD_TOO_OLD: "the order's record is too old, look it up in the shop",
    Reason.SECOND_FIELD_DISAGREES: "amount or time on the picture differ from the record",
    Reason.NO_SECOND_FIELD: "only the number matches, check that it is really theirs",
    Reason.SEVERAL_ORDERS: "more than one order is meant",
    Reason.ORDER_LIST: "a list of orders, ask which one",
    Reason.PRODUCT_CLOSE: "several products are about as likely, ask which one",
    Reason.PRODUCT_UNKNOWN: "not found in the catalog",
    Reason.PRODUCT_RECORD_TOO_OLD: "the product's record is too old, look it up in the shop",
    Reason.NUMBER_UNSURE: "the number was read but not surely, compare it with the picture",
    Reason.NUMBER_UNREADABLE: "the number can't be read from the picture",
    Reason.EARLIER_PICTURE: "the order is on a picture sent earlier, check that it is meant now",
    Reason.NO_ORDER_NUMBER: "no order number was given",
    Reason.STALE: "the message is old, check that it still matters",
    Reason.LOOP_GUARD: "the bot has answered often here",
    Reason.FACTS_CHANGED: "the records changed after the draft was written",
    Reason.PICTURE_REFUSED: "a picture was refused",
    Reason.PICTURE_UNREACHABLE: "a picture could not be fetched",
    Reason.PICTURE_UNREADABLE: "a picture can't be read",
    Reason.PICTURE_LANGUAGE: "the picture is in a language that can't be read here",
    Reason.TOO_MANY_PICTURES: "more pictures than are looked at",
    Reason.SEVERAL_QUESTIONS: "more than one question",
    Reason.UNSTATED_CLAIM: "the draft states something that no record says",
    Reason.LANGUAGE_UNSUPPORTED: "a language without word list",
    Reason.KIND_NOT_ANSWERED: "not answered automatically",
    Reason.NO_ANSWER: "the draft does not decide what is asked",
    Reason.BELOW_THRESHOLD: "the evidence is not strong enough to answer alone",
    Reason.NOT_IN_SHARE: "outside the share that is answered alone for now",
    Reason.MODE_OFF: "switched off for this kind",
    Reason.MODE_SHADOW: "only watched for now",
    Reason.MODE_ASSIST: "the draft waits for approval",
    Reason.EMPTY: "nothing was said or shown",
    Reason.PROVEN: "proven by the record",
    Reason.CALIBRATED: "the shop's judgements bound the error",
}
