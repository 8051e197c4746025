//! The program against its surroundings, each module one of them.

#[cfg(test)]
mod simulation;
