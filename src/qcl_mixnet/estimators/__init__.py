"""scikit-learn's face: classifiers, ensembles, calibration, decisions."""
