"""The plugin's commands, a file each, all thin: words in, one use case, words out. `diffava.cli` finds them by name."""
