"""Rows of answers as Tables: what a figure is, its column and its unit.

Pure: rows in, Tables out. What a figure is, is decided here and nowhere else; what it
looks like is the views' business, and which rows a question needs that of `questions`.
This file imports none of its modules, so that a command pays for its own question only.
"""
