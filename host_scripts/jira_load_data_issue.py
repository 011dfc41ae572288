from wherescape.connectors.jira.jira_load_data import jira_load_data_issue

jira_load_data_issue()
