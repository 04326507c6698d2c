"""The checkers of plan and program."""
