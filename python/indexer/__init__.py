"""Indexes the Redis streams of a Bluesky-compatible AppView into its PostgreSQL tables."""
