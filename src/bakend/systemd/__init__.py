"""Being a service of systemd: its units, the sockets it passes, and what it wants to be told."""
