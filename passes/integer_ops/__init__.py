"""The integer form of every op."""
