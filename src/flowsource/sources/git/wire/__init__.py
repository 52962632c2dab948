"""Speaking with a Git server: connections, waiting, and the protocol over them."""
