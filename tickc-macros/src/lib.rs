//! The proc-macros behind `tickc`.
