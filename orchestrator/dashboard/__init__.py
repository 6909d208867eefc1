"""The dashboard as it is served: `static/` holds what `make dashboard` builds from `dashboard/`."""
