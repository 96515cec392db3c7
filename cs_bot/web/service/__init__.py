"""`cs-bot serve`: a checkpoint of our own behind the protocol that OpenAI's clients speak."""
