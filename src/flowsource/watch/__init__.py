"""Keeping fresh: sources are polled, and a new revision serves once it has loaded."""
