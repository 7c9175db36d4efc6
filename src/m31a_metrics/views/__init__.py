"""Views draw Tables and compute nothing: text on a terminal or in a pipe."""
