"""What a lease obliges: insurance and boiler certificates, repairs, re-letting."""
