//! What stands on one direction of a connection (spec/repmgr.md 1 and 2.1).
