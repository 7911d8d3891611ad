"""The editor's program, or a timeline's file, behind one small protocol in the words of the trade."""
