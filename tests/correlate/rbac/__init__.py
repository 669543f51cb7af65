"""What is tied to what: links, descent on a machine, clocks."""
