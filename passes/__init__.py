"""Passes from graph to graph: canonicalise, fuse, calibrate, quantise, order."""
