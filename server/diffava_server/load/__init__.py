"""Many editors at once, played: `diffava bench load` asks a server for work and says what became of each request."""
