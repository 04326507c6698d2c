"""The float graph in one canonical form, whichever way an exporter wrote it."""
