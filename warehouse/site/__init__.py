"""The page of a release: two static files, English and Hindi, made from its own tables."""
