"""Run a generated directory on this machine or on a simulator, and compare."""
