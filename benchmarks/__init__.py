"""What flowsource costs, beside what it is held against."""
