"""6  pure: turn state + Reading + Facts + Draft + policy + now -> Decision with reasons (no I/O)."""

from cs_bot.gate.deciding import decide
from cs_bot.gate.hints import suggestion
from cs_bot.gate.leave import in_share
from cs_bot.gate.rules import ANSWERED_KINDS, PROOF_INTENTS, WISHES

__all__ = ["ANSWERED_KINDS", "PROOF_INTENTS", "WISHES", "decide", "in_share", "suggestion"]
