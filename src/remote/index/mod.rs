//! Package indexes that have the simple repository API.
#![expect(dead_code, reason = "the resolver does not use it yet")]

pub mod page;
pub mod project;
pub mod settings;
pub mod timestamp;
