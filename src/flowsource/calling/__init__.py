"""Calling a flow in this process: what its name, retries, hooks, prints and timeout come to."""
