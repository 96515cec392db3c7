"""Faults: the promises of the ledger under crashes, zombies, lying platforms and people who act meanwhile."""
