"""Data that the package ships: the digits network and images it was not trained on."""
