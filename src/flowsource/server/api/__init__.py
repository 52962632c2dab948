"""The API for people and scripts, at /api/v1."""
