"""What the chip is: memories, cores, and what kernels and transfers cost on it."""
