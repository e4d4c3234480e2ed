"""Work in processes of its own: started, watched, ended and replaced.

What a model does to its process, a crash or a changed setting, is nothing to the others. This room
knows no model and no Kedro: it runs callables.
"""
