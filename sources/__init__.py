"""Who delivers, and in what form? A folder per institution; nothing outside this package knows a format or an institution's words."""
