"""DaVinci Resolve as an editor, by its documented scripting interface; a duty each, and every step read back."""
