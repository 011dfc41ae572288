from wherescape.validators.freshness import check_freshness

check_freshness()
