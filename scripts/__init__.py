"""Commands for people: `./gw --help`."""
