"""The benchmark: real server processes under load on this machine, beside a bare Waitress.

Every figure stands beside that of the baseline, measured in the same run a moment before and after:
machines differ, and one machine differs from hour to hour; the ratio stays.
"""
