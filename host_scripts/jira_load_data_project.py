from wherescape.connectors.jira.jira_load_data import jira_load_data_project

jira_load_data_project()
