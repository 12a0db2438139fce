"""`make bench`: the sink against floors measured in the same run."""
