//! Logins, one by one.
