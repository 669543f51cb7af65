"""What workloads may do on their node, and what is reached from outside."""
