//! Bad configs, each with all that is shown of it: the place, what was found and what would do.

mod keys;
mod meaning;
mod secrets;
mod values;
mod yaml;
