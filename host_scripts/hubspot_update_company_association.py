from wherescape.connectors.hubspot.ticket_updates import hubspot_update_company_association

hubspot_update_company_association(
    "hubspot_access_token", ticket_property="customer_number", company_property="customer_number"
)
