"""QCL-MixNet+: a blend of differently built networks."""
