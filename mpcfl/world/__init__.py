"""Parties, sessions, transport and meter (floor 1)."""
