from wherescape.connectors.notion.notion_load_data import notion_load_data

notion_load_data()
