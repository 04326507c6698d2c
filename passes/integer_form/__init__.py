"""The integer form of canonical ops, emitted op by op."""
