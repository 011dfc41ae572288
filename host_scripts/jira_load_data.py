from wherescape.connectors.jira.jira_load_data import jira_load_data

jira_load_data()
