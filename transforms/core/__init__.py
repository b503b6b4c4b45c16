"""One module a core table: conformed dimensions and tidy facts."""
