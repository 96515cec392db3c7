"""One file per platform: verify, parse, send."""
