"""The sessions of many machines in one ClickHouse: pushed by each, asked as one.

docs/fleet.md says how it is set up and what fails how.
"""
