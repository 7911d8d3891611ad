"""What can be trained on: published collections from their owners' lists, and a plain folder of videos with sound.

Nothing is downloaded here: lists name clips, a folder holds the media, and what is missing is counted and listed.
"""
