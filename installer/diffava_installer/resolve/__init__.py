"""DiffAVA in Resolve's menu: putting it there, mending it, taking it away, and saying why it does not work."""
