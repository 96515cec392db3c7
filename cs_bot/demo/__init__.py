"""A simulated shop to try cs-bot on: its data, its pictures, its platform and the stories that are told on it."""
