"""Deliveries from outside: who sent them (schemes), what they do (the door), signed links."""
