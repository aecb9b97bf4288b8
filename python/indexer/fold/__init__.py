"""Events applied one after the other to a `World` of rows, and what records are made of. No I/O, no SQL, no clock."""
