"""Look at bags of anyone's making: what they hold, how much of it can be learned from, and repair."""
