"""Moving in and out: `takeover` of what a dead consumer holds, `release` of what ours held (docs/moving.md)."""
