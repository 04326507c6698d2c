"""Which scale every value gets, and what makes values easier to quantise."""
