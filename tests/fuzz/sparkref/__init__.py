"""What Spark 3.5.1 makes of a record, slowly and readably: the reference of diff.py.

Written from Spark's, Jackson's and Univocity's behaviour and checked against the golden
files (diff.py --golden); it shares no code and no tables with csrc/.
"""
