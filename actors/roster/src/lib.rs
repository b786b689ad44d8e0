//! Membership of one network, and the verdict of the one gate.
