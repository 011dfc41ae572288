from wherescape.connectors.hubspot.check_missing_columns import hubspot_check_missing_columns

hubspot_check_missing_columns(["load_hubspot_company", "load_hubspot_contact"])
