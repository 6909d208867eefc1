"""The long campaigns of `make soak`: real member processes under load and faults, and a verdict on their promises."""
