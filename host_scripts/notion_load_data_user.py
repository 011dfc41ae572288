from wherescape.connectors.notion.notion_load_data import notion_load_data_user

notion_load_data_user()
