"""The dashboard in a real Chromium, before a plant of real processes."""
