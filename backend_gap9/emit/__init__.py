"""Program to a directory of C."""
