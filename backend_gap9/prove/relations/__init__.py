"""What the operands of a call must be to each other, an op each: the strangers of the kernel records."""
