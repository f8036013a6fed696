"""Collections: what a definition may say, and the tables derived from it.

`definition`, `fields`, `patterns` say what is allowed; `migration` and `ddl` say what has to happen
when a definition changes; `catalog` does it. Records are rows, and live in `records/`.
"""
