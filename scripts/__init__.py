"""Shell-outs for people: `./gw --help`."""
