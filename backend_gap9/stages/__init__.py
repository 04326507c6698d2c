"""Integer graph to stages: what shares a loop, how values and constants lie in memory."""
