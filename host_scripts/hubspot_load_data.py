from wherescape.connectors.hubspot.collect_data import hubspot_load_data

hubspot_load_data()
