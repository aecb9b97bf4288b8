"""For those who test decoders, ours or their own: builders, hostile input, and strategies for Hypothesis.

`build` makes trees, CAR files and frames in plain Python; `hostile` lists input that a strict decoder refuses, with the
reason; `strategies` needs Hypothesis (`pip install appview-indexer[testing]`).
"""
