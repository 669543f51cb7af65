"""What runs in a cluster and what it may do: pods, what leads to them, what of their node they hold.

The checks of workloads and those of access both stand on it.
"""
