"""The studies: one file each, found by its name."""
