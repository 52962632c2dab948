"""A PostgreSQL database that any number of processes on any number of hosts read and write at the same time."""
