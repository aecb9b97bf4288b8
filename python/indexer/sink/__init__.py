"""From messages to committed rows: read what they touch, fold, write the difference, derive again."""
