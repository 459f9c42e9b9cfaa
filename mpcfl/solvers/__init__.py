"""Solvers on shared moments (floor 5)."""
