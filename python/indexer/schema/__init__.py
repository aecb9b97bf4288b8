"""The database's tables: the AppView's and the indexer's own; made by `create`, compared by `check`.

`run` only checks. The AppView's tables belong to its TypeScript services, which migrate them.
"""
