"""Going on with long trainings that were ended: what is saved of them meanwhile, and where."""
