"""What is deployed: apps made of shapes, the platform below them, and Flux, laid out as deploy/ is."""
