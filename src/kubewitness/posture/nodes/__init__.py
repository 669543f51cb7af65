"""How a machine is set: kubelet, listeners, firewall, sockets, files."""
