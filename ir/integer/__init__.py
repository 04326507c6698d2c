"""The integer ops, one file each: attribute record, shape rule, meaning and row of the op table."""
