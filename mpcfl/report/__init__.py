"""What a run leaves behind: report, card, pictures (floor 6)."""
