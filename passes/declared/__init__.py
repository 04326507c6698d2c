"""Models that are already quantised: what they declare, and what is kept of it."""
