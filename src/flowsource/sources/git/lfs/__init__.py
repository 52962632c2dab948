"""Files that a repository keeps beside itself, on a server of Git LFS."""
