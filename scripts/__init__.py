"""Shell-outs for people: `python -m scripts --help`."""
