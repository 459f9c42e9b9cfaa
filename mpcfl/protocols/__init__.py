"""Protocols on shares, one file each (floor 3)."""
