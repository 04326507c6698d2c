"""What a compile found out: facts, page, and sentences for comments."""
