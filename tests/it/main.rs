//! The whole command, as users run it.
