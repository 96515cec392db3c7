"""What the shop knows, and the words its customers use to ask."""
