"""Shares, opening, reveal (floor 2)."""
