"""Claims about the shipped content, made by the test rows beside it."""
