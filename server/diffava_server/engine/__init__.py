"""What makes the sound: the protocol, the real engine and a fake one, and the process that either runs in."""
