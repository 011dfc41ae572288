from wherescape.connectors.jira.jira_create_metadata import jira_create_metadata

jira_create_metadata()
