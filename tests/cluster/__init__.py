"""Scenarios in a real cluster: `./gw proof`. None of these files is called test_*, so `make test` leaves them alone."""
