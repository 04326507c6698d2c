"""The graph: operations, types, text form, verifier, interpreter and errors."""
