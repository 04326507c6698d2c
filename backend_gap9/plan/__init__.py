"""Stages to plan: tiles, places in memory, when weights travel."""
