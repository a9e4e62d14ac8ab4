//! Integration tests of the scheduling machines.

mod random_faults;
