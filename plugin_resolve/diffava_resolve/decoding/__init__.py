"""Reading foreign media in a process of its own, with limits on what a file may cost. Knows no media."""
