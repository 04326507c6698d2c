"""The integer graph compared with the float graph."""
