"""Scenarios: the scripts that write them out. Their results ship in `kubewitness/content/scenarios`."""
