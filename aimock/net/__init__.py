"""Sockets and bytes. What the rest of the house needs of it is in `aimock.net.exchange`."""
