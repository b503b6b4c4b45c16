"""One module per core table: conformed dimensions and tidy facts."""
