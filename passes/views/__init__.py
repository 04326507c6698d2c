"""Recognition by following elements and by values, not by patterns of nodes."""
