"""Version 1 of the wire: messages, service and the stubs generated from foley.proto."""
