"""The status page at `/` of the metrics port: what `indexer status` shows, with charts of the last hour. Reads only."""
