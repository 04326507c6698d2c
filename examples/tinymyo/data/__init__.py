"""Public sEMG datasets: from their raw files to windows read from disk one at a time."""
