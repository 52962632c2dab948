"""The objects of a repository: received, kept, and given out again, each checked against its id."""
