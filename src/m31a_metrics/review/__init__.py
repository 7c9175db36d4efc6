"""The questions that people come with, each answered by Tables; one file per question.

Pure: sessions and a clock's reading in, Tables out. What a figure is, is decided here and
nowhere else; what it looks like is the views' business. This file imports none of them, so
that a command pays for its own question only.
"""
