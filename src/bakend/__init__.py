"""Bakend: a backend in one file.

The public names for functions and jobs will stand here; nothing inside the package imports from it.
"""
