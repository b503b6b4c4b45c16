"""Publishing: uploading a release, moving pointers, verifying, and cleaning up."""
