"""A repository that is made on the spot and served over HTTP, for the demo and for the tests."""
