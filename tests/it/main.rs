//! x

mod web;
