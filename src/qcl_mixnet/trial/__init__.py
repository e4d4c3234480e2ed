"""From a table to a judgement of models and a saved one: what `qcl-mixnet try` does."""
