def give_back() -> None:
    """Return free pages of the heap to the system: worth it once, when starting up has left many behind."""
