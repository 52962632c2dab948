"""Processes of runs: started, signalled, and ended with all that they leave behind."""
