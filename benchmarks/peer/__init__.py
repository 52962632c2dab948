"""flowsource side by side with its peer, Prefect: both set up, driven by the same hand, and told in one table."""
