"""Losses: one term a row, as a protocol on shares and, beside it, in float64."""
