"""What the reasons of dead letters and of ignored messages mean, for somebody who meets them for the first time."""

DEAD = {
    "not_json": "the text is not JSON, often cut off",
    "not_an_object": "JSON, but not an object: a number, a text, true",
    "missing_field": "a field that every event of its type has is absent, empty or no text",
    "bad_uri": "DID, collection and record key make no AT-URI",
    "bad_cid": "the record's CID cannot be read",
    "bad_commit": "the commit's CID cannot be read",
    "bad_rev": "the rev lies in the future: it would freeze the record",
    "bad_record": "the record is not of the data model: a broken link, bytes or blob in it",
    "invalid_record": "the record breaks the rules of its lexicon",
    "too_deep": "more than 1,000 levels of nesting",
    "too_big": "more than 16 MiB",
    "bad_label": "a label that cannot be stored as it is",
    "crashed": "our own code failed on it: please report it",
    "db": "PostgreSQL refused it alone; the batch around it was committed",
}
"""By the reason, which is the cause up to the colon; `db` stands for every `db_<SQLSTATE>`."""

IGNORED = {
    "empty": "no text, or JSON that says nothing (null)",
    "unknown_type": "a type of event that means nothing to an indexer",
    "account_status": "an account status without effect",
    "not_its_own": "a gate or list item for a post or list of somebody else",
    "vanished": "the entry was deleted from the stream before it could be read",
}
