"""What an address is, from files alone."""
