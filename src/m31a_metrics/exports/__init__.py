"""Exports write what was reviewed in other programs' formats; one file per format."""
