"""The changes of the tables, one after the other; see README.md beside this file."""
