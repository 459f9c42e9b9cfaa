"""Correlated randomness: recipes and the dealer (floor 2)."""
