"""What one device does in a second, beside what one would use instead: the rows of results/gpu.jsonl."""
