"""The test range: a real control plane, real nodes, and recorded, labelled attacks on them (see README.md)."""
