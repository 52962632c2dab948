"""The moving part: runs are claimed, started, supervised and reported here."""
