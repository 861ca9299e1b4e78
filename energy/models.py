"""Energy's models; the labels that lower apps read are kept in portfolio.labels."""
