from wherescape.connectors.hubspot.collect_data import hubspot_collect_data

hubspot_collect_data()
