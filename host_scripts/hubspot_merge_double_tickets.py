from wherescape.connectors.hubspot.ticket_updates import merge_double_tickets

merge_double_tickets("hubspot_access_token")
