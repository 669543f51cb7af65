"""Judging state: the kubelet's configuration out of host files."""
