"""Floor 0: numbers. Products in Z_2^64, fixed point, and the random stream that masks come from."""
