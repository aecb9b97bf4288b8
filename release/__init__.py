"""What is checked and made before a release, by `make audit`, `make pins` and `make wheel`; no part of the package."""
