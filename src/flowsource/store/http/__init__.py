"""The store behind a server: its protocol over HTTP."""
