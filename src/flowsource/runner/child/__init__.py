"""What goes on in a run's process: its flow loaded and called, and what it tells its runner."""
