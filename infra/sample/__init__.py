"""Makes the bundled sample archive from recorded public figures."""
