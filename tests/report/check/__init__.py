"""Claims about the forms in which `kubewitness check` reports."""
