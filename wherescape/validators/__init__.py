"""Checks on what is in the warehouse, each a host script of one call.

A check writes a CSV file and a page beside it to RED's work folder, names what is beyond a limit as a warning, and
ends with status 1, or -1 where there is one. A table that cannot be read is a warning that names it; the others are
checked.
"""
