"""cs-bot answers the customer questions it can prove right and hands the rest to people with a draft ready."""

__version__ = "0.1.0"
