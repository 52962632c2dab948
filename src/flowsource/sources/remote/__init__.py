"""Object stores and other places that fsspec reaches."""
