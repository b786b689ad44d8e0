//! The database (redb) and the identity files of one home.
