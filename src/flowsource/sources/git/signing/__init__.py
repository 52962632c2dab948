"""Signatures of commits and tags, and who may have made them."""
