"""Git as a source: the wire, the objects, and the export of one commit into a directory."""
