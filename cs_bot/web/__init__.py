"""The HTTP side: webhooks in, the review queue for people, health and figures."""
