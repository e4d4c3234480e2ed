"""Any fitted model of the roster in a folder, without pickle, and back."""
