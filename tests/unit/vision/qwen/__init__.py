"""The engine in our own process, on random checkpoints of the real architecture."""
