"""Estimators (floor 5)."""
