"""What runs and their server say: heard line by line, kept in logs, shown to people."""
