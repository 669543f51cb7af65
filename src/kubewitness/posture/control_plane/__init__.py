"""How the components of the control plane are started, and what that opens."""
