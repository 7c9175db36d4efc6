"""Draws the pictures of docs/pictures from real transcripts' figures: `make screenshots`."""
