from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data

gitlab_load_data()
