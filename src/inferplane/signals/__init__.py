"""What the gateway and the activator report about load, as values, and how readings become such values; pure."""
