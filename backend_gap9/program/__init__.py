"""The program: stages of loops over transfers, waits, kernel calls and barriers."""
