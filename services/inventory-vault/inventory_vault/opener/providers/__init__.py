"""Master key providers: a file each, which exports `open_provider(settings)`."""
