"""Draws the pictures of docs/pictures from an invented home: `make screenshots`."""
