"""The database of a tracking server as it is found: its URL, whether it answers, and the schema that is in it."""
