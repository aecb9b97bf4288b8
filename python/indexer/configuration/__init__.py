"""The settings: their table, how texts become values, where they come from, and what of them is secret."""
