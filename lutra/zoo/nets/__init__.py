"""The networks of the literature as torch modules, to be trained."""
