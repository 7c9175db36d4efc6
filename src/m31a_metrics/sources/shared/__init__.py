"""What several agents' sources do alike: the reading loop, and subagents in files of their own."""
