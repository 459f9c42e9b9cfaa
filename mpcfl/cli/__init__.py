"""Floor 6: the commands that a user types."""
