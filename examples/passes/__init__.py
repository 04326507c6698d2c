"""A researcher's own pass, and a compile that uses it: start with README.md."""
