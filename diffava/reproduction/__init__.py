"""The papers' tables, from downloads to figures: what it will take is said first, then it is done step by step."""
