"""Roles and bindings through time: at any moment of the evidence, with and without some of them."""
