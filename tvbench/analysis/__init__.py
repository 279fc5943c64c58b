"""What a person asks of runs, computed: mostly a module a command. Paints nothing; asks no engine."""
