"""Examples that use tmc: training code and compiler extensions."""
