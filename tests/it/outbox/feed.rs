//! The feed of changes over the admin listener.
