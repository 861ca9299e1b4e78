"""How fast the product is, as ratios to what the same engine can do at best (`make bench`)."""
