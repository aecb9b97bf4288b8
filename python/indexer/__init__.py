"""Indexes the Redis streams of a Bluesky-compatible AppView into its PostgreSQL tables.

The line of a message, folder by folder (`lane/pipeline.py` first):

    lane/       reads a stream, has its entries decoded (`_native`, Rust), settles them
    fold/       applies events one after the other to a `World` of rows; pure
    records/    what each collection makes of a record: a file each
    sink/       reads that world from PostgreSQL, and writes what became different

Around it: `removal/` removes accounts, `identity/` finds who an account is, `daemon/` is the process with what works
beside the lanes, `connections/` and `schema/` are PostgreSQL and Redis, `configuration/` the settings, `commands/` the
commands. `codec/` is the decoder as a library, `embedded/` starts private servers, and `demo/` shows it all on them.
"""
