"""The questions that people come with: one pure function each, over answers, slice and time.

A command, a page, a report, the API and `m31a_metrics.query` declare which question they
show, with which options; none of them asks the index for rows by itself. Functions return
Panels, which hold the Tables. Not imported here, so that whoever asks one question loads
that one alone.
"""
