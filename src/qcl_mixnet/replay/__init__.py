"""The replay: candidates trained once, designs of blends and decisions tried on what they said."""
