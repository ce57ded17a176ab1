"""HTTP: our own protocol for the hot routes (`lane`), Starlette for the rest (`app`), and the bridge between them."""
