"""The cache: one immutable directory per revision, published whole or not at all."""
