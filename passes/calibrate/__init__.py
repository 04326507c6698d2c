"""Samples, and the ranges that values have over them."""
