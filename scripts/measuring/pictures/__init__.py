"""The pictures of results/: one file each, drawn from kept rows alone, by scripts/plot_results.py."""
