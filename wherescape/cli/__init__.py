"""The `wherescape` command (extra `cli`)."""
