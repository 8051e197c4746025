//! x

#[cfg(test)]
mod simulator;
